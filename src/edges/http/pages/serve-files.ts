import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { brotliDecompress, brotliDecompressSync, gzip } from "node:zlib";
import type { FastifyInstance } from "fastify";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import type { PageFiles } from "./read-page-files.ts";

/** In a page: where what it loads is. */
export const BASE = '<base href="./" />';

interface ServedFiles {
  /** With slashes at both ends. */
  readonly prefix: string;
  /** Which of the files; ends with a slash. @default all */
  readonly folder?: string;
  /** Called at the first request: most processes never serve a page. */
  readonly load: () => Promise<PageFiles>;
  readonly headers: Readonly<Record<string, string>>;
}

const encodings = ["br", "gzip", "identity"] as const;
type Encoding = (typeof encodings)[number];

const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
};

/** Serves a page's files from memory, in an encoding that the client accepts. Each is encoded once. */
export function serveFiles(
  server: FastifyInstance,
  { prefix, folder = "", load, headers }: ServedFiles,
): void {
  const served = new Map<string, ServedFile>();
  const fileAt = async (path: string): Promise<ServedFile> => {
    const file = served.get(path) ?? servedFile(bytesOf(await load(), path));
    served.set(path, file);
    return file;
  };
  server.get<{ Params: { "*": string } }>(`${prefix}*`, async ({ params, headers: asked }, reply) => {
    const path = params["*"] || "index.html";
    const { etag, as } = await fileAt(folder + path);
    reply.headers({ ...headers, ETag: etag, Vary: "Accept-Encoding" });
    if (asked["if-none-match"] === etag) return reply.code(304).send();
    const encoding = preferredEncoding(asked["accept-encoding"]);
    if (encoding !== "identity") reply.header("Content-Encoding", encoding);
    return reply.type(types[path.replace(/.*\./, "")] ?? "application/octet-stream").send(await as(encoding));
  });
}

/** @throws HoldfastError `ROUTE_NOT_FOUND`, also in a checkout where nothing is built */
export function textOfFile(files: PageFiles, path: string): string {
  return brotliDecompressSync(bytesOf(files, path)).toString();
}

function bytesOf(files: PageFiles, path: string): Buffer {
  const base64 = Object.hasOwn(files, path) ? files[path] : undefined;
  if (base64 === undefined) throw new HoldfastError("ROUTE_NOT_FOUND", "There is nothing at this path");
  return Buffer.from(base64, "base64");
}

interface ServedFile {
  /** Weak: it is the same for all encodings. */
  readonly etag: string;
  readonly as: (encoding: Encoding) => Promise<Buffer>;
}

function servedFile(brotli: Buffer): ServedFile {
  const made = new Map<Encoding, Promise<Buffer>>([["br", Promise.resolve(brotli)]]);
  const make = async (encoding: Encoding) => {
    const plain = await promisify(brotliDecompress)(brotli);
    return encoding === "gzip" ? await promisify(gzip)(plain) : plain;
  };
  return {
    etag: `W/"${createHash("sha256").update(brotli).digest("base64url").slice(0, 16)}"`,
    as(encoding) {
      const bytes = made.get(encoding) ?? make(encoding);
      made.set(encoding, bytes);
      return bytes;
    },
  };
}

function preferredEncoding(accepted: string | string[] | undefined): Encoding {
  const entries = String(accepted ?? "")
    .toLowerCase()
    .split(",")
    .map((entry) => entry.replaceAll(/\s/g, ""));
  const isAccepted = (name: Encoding) =>
    entries.some(
      (entry) => entry === name || (entry.startsWith(`${name};q=`) && !/;q=0(\.0*)?$/.test(entry)),
    );
  return encodings.find(isAccepted) ?? "identity";
}
