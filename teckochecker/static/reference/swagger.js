"use strict";

const page = document.body.dataset;

SwaggerUIBundle({
  url: page.schema,
  domNode: document.getElementById("reference"),
  deepLinking: true,
  validatorUrl: null, // it would ask a server elsewhere
  requestInterceptor: (request) => {
    request.headers["X-CSRFToken"] = page.csrf;
    return request;
  },
});
