// Shows the API's own description. The page is at docs/ beside the other routes, under any prefix of a proxy.
const api = new URL("..", document.baseURI);

globalThis.Scalar.createApiReference("#reference", {
  url: new URL("openapi.json", api).href,
  servers: [{ url: api.href.replace(/\/$/, ""), description: "This server" }],
  authentication: { preferredSecurityScheme: "key" },
  defaultHttpClient: { targetKey: "shell", clientKey: "curl" },
  // Nothing from elsewhere: the content security policy forbids it.
  withDefaultFonts: false,
  telemetry: false,
  agent: { disabled: true },
  mcp: { disabled: true },
  hideClientButton: true,
  defaultOpenAllTags: true,
  showDeveloperTools: "never",
});
