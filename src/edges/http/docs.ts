import swagger, { type SwaggerTransform, type SwaggerTransformObject } from "@fastify/swagger";
import type { FastifyInstance, FastifySchema } from "fastify";
import { COMPONENT_NAME } from "../../desk/operations/operation.ts";
import { type Document, documentOf, sendDocument } from "./body/document.ts";
import { problemResponses } from "./body/problem.ts";
import { basePathOf } from "./mount/base-path.ts";
import { BASE, serveFiles, textOfFile } from "./pages/serve-files.ts";

/** Allows only what this service sends; the page makes style elements. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "base-uri 'self'",
  "frame-ancestors 'none'",
  "form-action 'none'",
].join("; ");

const headers = {
  "Cache-Control": "public, max-age=0",
  "Content-Security-Policy": POLICY,
  "X-Content-Type-Options": "nosniff",
};

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
  await addReference(server);
  const documents = new Map<string, Document>();
  server.get("/openapi.json", { config: { scope: "public" }, schema: { hide: true } }, (request, reply) => {
    const base = basePathOf(request.raw);
    const document = documents.get(base) ?? describeUnder(server, base);
    // An application can mount the API at any number of paths.
    if (documents.size < DOCUMENTS_MAX) documents.set(base, document);
    return sendDocument(request, reply, document);
  });
}

const DOCUMENTS_MAX = 16;

function describeUnder(server: FastifyInstance, base: string): Document {
  const document = server.swagger();
  if (base === "") return documentOf(document);
  return documentOf({ ...document, servers: [{ url: base, description: "This server" }] });
}

/** The reference for people, at `/docs/`. */
async function addReference(server: FastifyInstance): Promise<void> {
  await server.register(async (docs) => {
    // The reference is public code; calling what it describes takes a key.
    docs.addHook("onRoute", (route) => {
      route.config = { ...route.config, scope: "public" };
      route.schema = { ...route.schema, hide: true };
    });
    const load = async () => (await import("./pages/reference-files.ts")).referenceFiles;
    serveFiles(docs, { prefix: "/docs/", load, headers });
    // No redirect: Next.js and others redirect the other way.
    docs.get("/docs", async (_request, reply) => {
      const page = textOfFile(await load(), "index.html").replace(BASE, '<base href="docs/" />');
      return reply.type("text/html; charset=utf-8").headers(headers).serializer(String).send(page);
    });
  });
}

/** Adds to a route what its scope implies: the key, and the answers without one, or beyond its limits. */
const describeAccess: SwaggerTransform = ({ schema, url, route }) => {
  if (schema === undefined || schema.hide === true) return { schema: schema ?? {}, url };
  const { scope, cost } = route.config ?? {};
  const isPublic = scope === "public";
  const access = isPublic ? [] : (["UNAUTHENTICATED", "FORBIDDEN"] as const);
  const crossSite = route.method === "POST" ? (["CROSS_SITE_REQUEST"] as const) : [];
  const limits = isPublic || cost === 0 ? [] : (["RATE_LIMITED"] as const);
  const implied = problemResponses(...access, ...crossSite, ...limits, "HOST_NOT_ALLOWED");
  const described: FastifySchema = {
    ...schema,
    security: isPublic ? [] : [{ key: [] }],
    response: { ...(schema.response as object), ...implied },
  };
  return { schema: described, url };
};

/** Moves each named schema to the components, and refers to it. */
const shareComponents: SwaggerTransformObject = (document) => {
  if (!("openapiObject" in document)) return document.swaggerObject;
  const { openapiObject: described } = document;
  const schemas: Record<string, unknown> = {};
  const share = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(share);
    if (typeof value !== "object" || value === null) return value;
    const shared = Object.fromEntries(Object.entries(value).map(([key, member]) => [key, share(member)]));
    const { [COMPONENT_NAME]: name, ...schema } = shared;
    if (typeof name !== "string") return shared;
    schemas[name] = schema;
    return { $ref: `#/components/schemas/${name}` };
  };
  const paths = share(described.paths);
  const ordered = Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => a.localeCompare(b)));
  const components = { ...described.components, schemas: ordered };
  return { ...described, paths, components } as typeof described;
};
