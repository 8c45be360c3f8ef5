/** How a library speaks to its downstream. */
export type Protocol =
  | "http"
  | "http2"
  | "grpc"
  | "smtp"
  | "postgres"
  | "mysql"
  | "mongodb"
  | "redis"
  | "udp";

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
  /** Whether it always speaks TLS. @default as the fault says */
  readonly isSecure?: boolean;
  /**
   * A client of its own for each call; one that is shared, and busy for others; or no client, but a way out of the process that cannot be
   * followed. The last two are tried only beside other calls. @default a client
   */
  readonly role?: "client" | "shared" | "channel";
  /** Whether it hands calls that wait to another asynchronous context. */
  readonly losesContext?: boolean;
  /** Part of the short form. */
  readonly isQuick?: boolean;
}

const both = { hasTimeout: true, takesSignal: true };
const timeout = { hasTimeout: true, takesSignal: false };
const signal = { hasTimeout: false, takesSignal: true };
const shared = { ...timeout, keepsConnections: true, role: "shared" } as const;
const channel = { hasTimeout: false, takesSignal: false, role: "channel" } as const;

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
  { name: "smtps", package: "nodemailer", protocol: "smtp", ...timeout, isSecure: true },
  { name: "node-http-agent", protocol: "http", ...shared, isQuick: true },
  { name: "undici-pool", package: "undici", protocol: "http", ...shared, losesContext: true },
  { name: "http2-session", protocol: "http2", ...shared },
  { name: "grpc-channel", package: "@grpc/grpc-js", protocol: "grpc", ...shared },
  { name: "node-http-body", protocol: "http", ...shared, isQuick: true },
  { name: "http2-body", protocol: "http2", ...shared },
  { name: "grpc-stream", package: "@grpc/grpc-js", protocol: "grpc", ...shared },
  { name: "pg-pool", package: "pg", protocol: "postgres", ...shared, losesContext: true },
  { name: "mysql2-pool", package: "mysql2", protocol: "mysql", ...shared, losesContext: true },
  { name: "udp", protocol: "udp", ...channel, isQuick: true },
  { name: "child-process", protocol: "http", ...channel },
  { name: "child-message", protocol: "http", ...channel },
  { name: "worker-thread", protocol: "http", ...channel },
  { name: "worker-message", protocol: "http", ...channel, isQuick: true },
];
