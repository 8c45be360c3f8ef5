/** How a library speaks to its downstream. */
export type Protocol = "http" | "http2" | "grpc" | "smtp" | "postgres" | "mysql" | "mongodb" | "redis";

/** A library, as the rows need to know it; `calls/` has how it is used. */
export interface Library {
  readonly name: string;
  readonly protocol: Protocol;
  /** The npm package; without one the runtime has it. */
  readonly package?: string;
  /** Whether it has a time-out that can be set. */
  readonly hasTimeout: boolean;
  readonly takesSignal: boolean;
  /** Whether it keeps connections open between calls, as it is used here. @default false */
  readonly keepsConnections?: boolean;
  /** Part of the short form. */
  readonly isQuick?: boolean;
}

const both = { hasTimeout: true, takesSignal: true };
const timeout = { hasTimeout: true, takesSignal: false };
const signal = { hasTimeout: false, takesSignal: true };

export const libraries: readonly Library[] = [
  { name: "fetch", protocol: "http", ...signal, keepsConnections: true, isQuick: true },
  { name: "node-http", protocol: "http", ...both, keepsConnections: true, isQuick: true },
  { name: "undici", package: "undici", protocol: "http", ...both, keepsConnections: true },
  { name: "undici-retry", package: "undici", protocol: "http", ...both },
  { name: "node-fetch", package: "node-fetch", protocol: "http", ...signal },
  { name: "axios", package: "axios", protocol: "http", ...both, isQuick: true },
  { name: "got", package: "got", protocol: "http", ...both, isQuick: true },
  { name: "got-put", package: "got", protocol: "http", ...both, isQuick: true },
  { name: "ky", package: "ky", protocol: "http", ...both },
  { name: "stripe", package: "stripe", protocol: "http", ...timeout, isQuick: true },
  { name: "aws-ses", package: "@aws-sdk/client-ses", protocol: "http", ...both, isQuick: true },
  { name: "aws-s3", package: "@aws-sdk/client-s3", protocol: "http", ...both },
  { name: "aws-sqs", package: "@aws-sdk/client-sqs", protocol: "http", ...both },
  { name: "octokit", package: "octokit", protocol: "http", ...signal, isQuick: true },
  { name: "openai", package: "openai", protocol: "http", ...both, isQuick: true },
  { name: "anthropic", package: "@anthropic-ai/sdk", protocol: "http", ...both },
  { name: "holdfast-client", protocol: "http", ...both },
  { name: "http2", protocol: "http2", ...both },
  { name: "grpc", package: "@grpc/grpc-js", protocol: "grpc", ...timeout },
  { name: "nodemailer", package: "nodemailer", protocol: "smtp", ...timeout, isQuick: true },
  { name: "pg", package: "pg", protocol: "postgres", ...timeout, keepsConnections: true },
  { name: "postgres", package: "postgres", protocol: "postgres", hasTimeout: false, takesSignal: false },
  { name: "mysql2", package: "mysql2", protocol: "mysql", ...timeout },
  { name: "mongodb", package: "mongodb", protocol: "mongodb", ...timeout, keepsConnections: true },
  {
    name: "ioredis",
    package: "ioredis",
    protocol: "redis",
    ...timeout,
    keepsConnections: true,
    isQuick: true,
  },
];
