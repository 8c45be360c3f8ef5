import { z } from "zod";
import { COMPONENT_NAME } from "../../../desk/operations/operation.ts";

/** A schema that the document has once, under this name. */
export function component(name: string, schema: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...described } = z.toJSONSchema(schema);
  return namedComponent(name, described);
}

/** The same for what is JSON Schema already. */
export function namedComponent(name: string, schema: Record<string, unknown>): Record<string, unknown> {
  return { ...schema, [COMPONENT_NAME]: name };
}

/** A successful answer in JSON. */
export function answer(description: string, schema: Record<string, unknown>): Record<string, unknown> {
  return { description, content: { "application/json": { schema } } };
}
