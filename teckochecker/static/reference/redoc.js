"use strict";

// Its theme would take fonts from elsewhere
const fonts = { fontFamily: "system-ui, sans-serif", headings: { fontFamily: "system-ui, sans-serif" } };

// It would also take its maker's logo from elsewhere
const isForeign = (url) => /^(https?:)?\/\//.test(url) && new URL(url, location).origin !== location.origin;
const image = HTMLImageElement.prototype;
const setAttribute = image.setAttribute;
const source = Object.getOwnPropertyDescriptor(image, "src");
image.setAttribute = function (name, value) {
  if (name !== "src" || !isForeign(value)) setAttribute.call(this, name, value);
};
Object.defineProperty(image, "src", {
  ...source,
  set(value) {
    if (!isForeign(value)) source.set.call(this, value);
  },
});

Redoc.init(document.body.dataset.schema, { theme: { typography: fonts } }, document.getElementById("reference"));
