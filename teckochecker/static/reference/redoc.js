"use strict";

// Its theme would take fonts from elsewhere
const fonts = { fontFamily: "system-ui, sans-serif", headings: { fontFamily: "system-ui, sans-serif" } };

Redoc.init(document.body.dataset.schema, { theme: { typography: fonts } }, document.getElementById("reference"));
