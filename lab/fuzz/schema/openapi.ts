/** The parts of an OpenAPI document that are used here. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly oneOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
}

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header" | "cookie";
  readonly schema: JsonSchema;
}

export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body: JsonSchema | undefined;
}

interface Described {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>> };
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

/** The operations of a running API. */
export async function readOperations(url: string): Promise<readonly Operation[]> {
  const response = await fetch(`${url}/openapi.json`);
  const document = (await response.json()) as Document;
  const paths = withoutReferences(document.paths, document) as Document["paths"];
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [], requestBody }]) => ({
      method: method.toUpperCase(),
      path,
      parameters,
      body: requestBody?.content["application/json"]?.schema,
    })),
  );
}

/** Puts each component in the place of the references to it; none refers to itself. */
function withoutReferences(value: unknown, document: Document): unknown {
  if (Array.isArray(value)) return value.map((member) => withoutReferences(member, document));
  if (typeof value !== "object" || value === null) return value;
  if ("$ref" in value) {
    const name = String(value.$ref).slice("#/components/schemas/".length);
    return withoutReferences(document.components.schemas[name], document);
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, withoutReferences(member, document)]),
  );
}
