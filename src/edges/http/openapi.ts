import type { SwaggerTransform, SwaggerTransformObject } from "@fastify/swagger";
import type { FastifySchema } from "fastify";
import { COMPONENT_NAME } from "../../desk/operations/operation.ts";
import { problemResponses } from "./body/problem.ts";

/** Adds to a route what its scope implies: the key, and the answers without one, or beyond its limits. */
export const describeAccess: SwaggerTransform = ({ schema, url, route }) => {
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
export const shareComponents: SwaggerTransformObject = (document) => {
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
