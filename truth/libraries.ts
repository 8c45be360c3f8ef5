/** How a library speaks to its downstream. */
export type Protocol = "http" | "smtp";

/** A library, as the rows need to know it; `calls/` has how it is used. */
export interface Library {
  readonly name: string;
  readonly protocol: Protocol;
  /** The npm package; without one the runtime has it. */
  readonly package?: string;
  /** Whether it has a time-out that can be set. */
  readonly hasTimeout: boolean;
  readonly takesSignal: boolean;
  /** Part of the short form. */
  readonly isQuick?: boolean;
}

const both = { hasTimeout: true, takesSignal: true };

export const libraries: readonly Library[] = [
  { name: "fetch", protocol: "http", hasTimeout: false, takesSignal: true, isQuick: true },
  { name: "node-http", protocol: "http", ...both, isQuick: true },
  { name: "undici", package: "undici", protocol: "http", ...both },
  { name: "node-fetch", package: "node-fetch", protocol: "http", hasTimeout: false, takesSignal: true },
  { name: "axios", package: "axios", protocol: "http", ...both, isQuick: true },
  { name: "got", package: "got", protocol: "http", ...both, isQuick: true },
  { name: "ky", package: "ky", protocol: "http", ...both },
  {
    name: "stripe",
    package: "stripe",
    protocol: "http",
    hasTimeout: true,
    takesSignal: false,
    isQuick: true,
  },
  { name: "aws-ses", package: "@aws-sdk/client-ses", protocol: "http", ...both, isQuick: true },
  { name: "aws-s3", package: "@aws-sdk/client-s3", protocol: "http", ...both },
  { name: "aws-sqs", package: "@aws-sdk/client-sqs", protocol: "http", ...both },
  {
    name: "octokit",
    package: "octokit",
    protocol: "http",
    hasTimeout: false,
    takesSignal: true,
    isQuick: true,
  },
  { name: "openai", package: "openai", protocol: "http", ...both, isQuick: true },
  { name: "anthropic", package: "@anthropic-ai/sdk", protocol: "http", ...both },
  {
    name: "nodemailer",
    package: "nodemailer",
    protocol: "smtp",
    hasTimeout: true,
    takesSignal: false,
    isQuick: true,
  },
  { name: "holdfast-client", protocol: "http", ...both },
];
