import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** What the tests call of a client without models, or of its transaction. */
interface PrismaStatements {
  $executeRaw(strings: TemplateStringsArray, ...values: unknown[]): Promise<number>;
  $executeRawUnsafe(text: string, ...values: unknown[]): Promise<number>;
  $queryRawUnsafe<T = unknown>(text: string, ...values: unknown[]): Promise<T>;
}

/** A client without models, as far as the tests call it. */
export interface PrismaClient extends PrismaStatements {
  $transaction<T>(
    work: (tx: PrismaStatements) => Promise<T>,
    times?: { readonly timeout?: number; readonly maxWait?: number },
  ): Promise<T>;
  $disconnect(): Promise<void>;
}

/** What `prisma generate` writes for a schema without models: it would download a program that this needs only once. */
const generated = {
  previewFeatures: [],
  clientVersion: require("@prisma/client/package.json").version,
  engineVersion: "none",
  activeProvider: "postgresql",
  inlineSchema: 'datasource db {\n  provider = "postgresql"\n}\n',
  runtimeDataModel: { models: {}, enums: {}, types: {} },
  parameterizationSchema: { strings: [], graph: "AAAA" },
  compilerWasm: {
    getRuntime: async () => require("@prisma/client/runtime/query_compiler_fast_bg.postgresql.js"),
    async getQueryCompilerWasmModule() {
      const { wasm } = require("@prisma/client/runtime/query_compiler_fast_bg.postgresql.wasm-base64.js");
      const { Module } = Reflect.get(globalThis, "WebAssembly"); // the types of Node.js 20 do not have it
      return new Module(Buffer.from(wasm, "base64"));
    },
    importName: "./query_compiler_fast_bg.js",
  },
};

/** Opens Prisma's own client on its adapter for pg. It ends with the test. */
export async function openPrisma(connectionString: string): Promise<PrismaClient> {
  const { getPrismaClient } = require("@prisma/client/runtime/client");
  const { PrismaPg } = await import("@prisma/adapter-pg");
  const Client = getPrismaClient(generated);
  const client: PrismaClient = new Client({ adapter: new PrismaPg({ connectionString }) });
  return client;
}
