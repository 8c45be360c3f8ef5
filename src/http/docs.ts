import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { describeAccess, shareComponents } from "./openapi.ts";

/** Hides the empty links column, which makes the page wider than a phone. */
const NARROW_CSS = ".response-col_links { display: none; }";

/** Describes every route added later: `/openapi.json` for programs, `/docs` for people. */
export async function addDocs(server: FastifyInstance): Promise<void> {
  await server.register(swagger, {
    transform: describeAccess,
    transformObject: shareComponents,
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Holdfast",
        version: "0.1.0",
        description:
          "A durable background-job service. Submit a job, get an id, read one status endpoint. At-least-once run, at-most-once effect.",
        license: { name: "MIT", identifier: "MIT" },
      },
      servers: [
        { url: "/", description: "This server" },
        { url: "http://127.0.0.1:3000", description: "npm start" },
      ],
      tags: [
        { name: "jobs", description: "Submit jobs and follow them." },
        { name: "operate", description: "Operate jobs, and resolve side effects in doubt." },
        { name: "health", description: "For supervisors and load balancers." },
      ],
      components: {
        securitySchemes: {
          key: {
            type: "http",
            scheme: "bearer",
            description: "An API key. Needed if HOLDFAST_API_KEYS is set.",
          },
        },
      },
    },
  });
  await server.register(async (docs) => {
    // The reference is public code; calling what it describes takes a key.
    docs.addHook("onRoute", (route) => {
      route.config = { ...route.config, scope: "public" };
    });
    await docs.register(swaggerUi, {
      routePrefix: "/docs",
      staticCSP:
        "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
      theme: { title: "Holdfast reference", css: [{ filename: "narrow.css", content: NARROW_CSS }] },
      uiConfig: { deepLinking: true, validatorUrl: null, defaultModelsExpandDepth: -1, layout: "BaseLayout" },
    });
  });
  server.get("/openapi.json", { config: { scope: "public" }, schema: { hide: true } }, async () =>
    server.swagger(),
  );
}
