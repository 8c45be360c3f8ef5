import { describe, expect, it } from "vitest";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { isLoopback } from "../lib/hosts.ts";
import { type Environment, readSettings, roleEnvironment } from "./settings.ts";
import { variables } from "./variables.ts";

const digest = "ab".repeat(32);

function refusalOf(env: Environment): HoldfastError {
  try {
    readSettings(env);
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
  throw new Error(`${JSON.stringify(env)} was accepted`);
}

describe("an environment without any variable", () => {
  it("gives the documented defaults", () => {
    expect(readSettings({})).toMatchObject({
      HOLDFAST_HOST: "127.0.0.1",
      HOLDFAST_PORT: 3000,
      HOLDFAST_DATA_DIR: ".holdfast",
      HOLDFAST_CONFIG: "holdfast.config.ts",
      HOLDFAST_API_KEYS: [],
      HOLDFAST_DURABILITY: { level: "disk", replicas: 0, isDefault: true },
      HOLDFAST_RETENTION_MS: 604_800_000,
      HOLDFAST_KEEP_COMPLETED: 10_000,
      HOLDFAST_KEEP_FAILED: 100_000,
      HOLDFAST_PREFIX: "holdfast",
      HOLDFAST_CONCURRENCY: { each: 20, named: new Map() },
      HOLDFAST_LOCK_MS: 15_000,
      HOLDFAST_STOP_GRACE_MS: 20_000,
      HOLDFAST_LOG_LEVEL: "info",
    });
  });

  it.each(Object.entries(variables))("has the documented default of %s", (name, { fallback }) => {
    expect(readSettings({ [name]: fallback })).toEqual(readSettings({}));
  });

  it("is the same as one with empty values", () => {
    expect(readSettings({ HOLDFAST_PORT: "", REDIS_URL: "", HOLDFAST_API_KEYS: "" })).toEqual(
      readSettings({}),
    );
  });

  it("may have other programs' variables", () => {
    expect(readSettings({ PATH: "/bin", holdfast_port: "1", HOLDFASTPORT: "1" })).toEqual(readSettings({}));
  });
});

describe("a good value", () => {
  it.each([
    ["REDIS_URL", "rediss://user:secret@store.example:6380/2", "rediss://user:secret@store.example:6380/2"],
    ["REDIS_URL", "redis://a:1,redis://b:2", "redis://a:1,redis://b:2"],
    ["REDIS_URL", "unix:///run/redis.sock", "unix:///run/redis.sock"],
    ["REDIS_URL", "sentinel://a:1,b:2/main", "sentinel://a:1,b:2/main"],
    ["HOLDFAST_CONCURRENCY", "5", { each: 5, named: new Map() }],
    [
      "HOLDFAST_CONCURRENCY",
      "20,reports=2,mail=50",
      {
        each: 20,
        named: new Map([
          ["reports", 2],
          ["mail", 50],
        ]),
      },
    ],
    ["HOLDFAST_PORT", "0", 0],
    ["HOLDFAST_PORT", "65535", 65_535],
    ["HOLDFAST_DURABILITY", "memory", { level: "memory", replicas: 0 }],
    ["HOLDFAST_DURABILITY", "replica", { level: "replica", replicas: 1 }],
    ["HOLDFAST_DURABILITY", "disk", { level: "disk", replicas: 0 }],
    ["HOLDFAST_DURABILITY", "disk-despite-failover", { level: "disk-despite-failover", replicas: 0 }],
    ["HOLDFAST_DURABILITY", "replica:3", { level: "replica", replicas: 3 }],
    ["HOLDFAST_KEEP_COMPLETED", "0", 0],
    ["HOLDFAST_KEEP_BYTES", "50000000", 50_000_000],
    ["HOLDFAST_STOP_GRACE_MS", "0", 0],
    ["HOLDFAST_RETENTION_MS", "1000", 1_000],
    ["SMTP_URL", "smtps://user:secret@mail.example", "smtps://user:secret@mail.example"],
    ["HOLDFAST_LOG_LEVEL", "silent", "silent"],
  ] as const)("of %s, %s, is read", (name, text, value) => {
    expect(readSettings({ [name]: text })[name]).toEqual(value);
  });

  it("of HOLDFAST_RATE_LIMITS says how much each key may use, in which window", () => {
    const env = {
      HOLDFAST_API_KEYS: `ci:submit:${digest}`,
      HOLDFAST_RATE_LIMITS: "*=100/1, ci=10/1,ci:submit=5000/86400",
    };

    expect(readSettings(env).HOLDFAST_RATE_LIMITS).toEqual(
      new Map([
        ["*", [{ scope: null, count: 100, seconds: 1 }]],
        [
          "ci",
          [
            { scope: null, count: 10, seconds: 1 },
            { scope: "submit", count: 5_000, seconds: 86_400 },
          ],
        ],
      ]),
    );
  });

  it("of HOLDFAST_API_KEYS names who may do what", () => {
    const env = { HOLDFAST_API_KEYS: `ci:submit+read:${digest}, ops.1:operate:${digest}` };

    expect(readSettings(env).HOLDFAST_API_KEYS).toEqual([
      { name: "ci", scopes: new Set(["submit", "read"]), sha256: Buffer.from(digest, "hex") },
      { name: "ops.1", scopes: new Set(["operate"]), sha256: Buffer.from(digest, "hex") },
    ]);
  });
});

describe("a bad value", () => {
  it.each([
    ["HOLDFAST_PORT", "65536", 'HOLDFAST_PORT: expected a port, 0 to 65535 (0: any free one), got "65536"'],
    ["HOLDFAST_PORT", "3e3", 'HOLDFAST_PORT: expected a port, 0 to 65535 (0: any free one), got "3e3"'],
    ["HOLDFAST_PORT", "-1", 'HOLDFAST_PORT: expected a port, 0 to 65535 (0: any free one), got "-1"'],
    ["HOLDFAST_RETENTION_MS", "999", /^HOLDFAST_RETENTION_MS: expected milliseconds, 1000 .*, got "999"$/],
    ["HOLDFAST_KEEP_BYTES", "999", /^HOLDFAST_KEEP_BYTES: expected a number of bytes, .* got "999"$/],
    ["HOLDFAST_KEEP_BYTES", "50MB", /^HOLDFAST_KEEP_BYTES: .* got "50MB"$/],
    ["HOLDFAST_KEEP_BYTES", "9999999999999999", /^HOLDFAST_KEEP_BYTES: /],
    ["HOLDFAST_KEEP_COMPLETED", "1.5", /^HOLDFAST_KEEP_COMPLETED: expected a number of jobs, .* got "1.5"$/],
    ["HOLDFAST_KEEP_FAILED", "0", /^HOLDFAST_KEEP_FAILED: expected a number of jobs, 1 .* got "0"$/],
    ["HOLDFAST_PREFIX", "a:b", 'HOLDFAST_PREFIX: expected 1 to 64 letters, digits, - or _, got "a:b"'],
    ["HOLDFAST_PREFIX", "{a}", 'HOLDFAST_PREFIX: expected 1 to 64 letters, digits, - or _, got "{a}"'],
    ["HOLDFAST_CONCURRENCY", "20,reports=0", /^HOLDFAST_CONCURRENCY: expected .* got "20,reports=0"$/],
    ["HOLDFAST_CONCURRENCY", "reports=2", /^HOLDFAST_CONCURRENCY: expected .* got "reports=2"$/],
    ["HOLDFAST_CONCURRENCY", "0", /^HOLDFAST_CONCURRENCY: expected a number of attempts, 1 .* got "0"$/],
    ["HOLDFAST_LOCK_MS", "20s", /^HOLDFAST_LOCK_MS: expected milliseconds, .* got "20s"$/],
    ["HOLDFAST_STOP_GRACE_MS", "∞", /^HOLDFAST_STOP_GRACE_MS: expected milliseconds, .* got "∞"$/],
    ["HOLDFAST_DURABILITY", "replica:0", /^HOLDFAST_DURABILITY: expected memory, disk, .* got "replica:0"$/],
    ["HOLDFAST_DURABILITY", "Disk", /^HOLDFAST_DURABILITY: expected memory, disk, .* got "Disk"$/],
    ["HOLDFAST_RATE_LIMITS", "ci=0/1", /^HOLDFAST_RATE_LIMITS: expected NAME=COUNT.* got "ci=0\/1"$/],
    ["HOLDFAST_RATE_LIMITS", "*=1/60,*=2/60", /^HOLDFAST_RATE_LIMITS: expected NAME=COUNT/],
    ["HOLDFAST_RATE_LIMITS", "ci=1", /^HOLDFAST_RATE_LIMITS: expected NAME=COUNT.* got "ci=1"$/],
    ["HOLDFAST_RATE_LIMITS", "ci:admin=1/1", /^HOLDFAST_RATE_LIMITS: .* got "ci:admin=1\/1"$/],
    ["HOLDFAST_RATE_LIMITS", "typo=1/1", /^HOLDFAST_RATE_LIMITS: expected names of keys .* got "typo"$/],
    ["HOLDFAST_RATE_LIMITS", "*=1/1", /^HOLDFAST_RATE_LIMITS: .* got limits and no keys$/],
    ["HOLDFAST_LOG_LEVEL", "verbose", /^HOLDFAST_LOG_LEVEL: expected trace, debug, .* got "verbose"$/],
  ])("of %s, %s, is reported with what was expected and what was found", (name, text, line) => {
    const refusal = refusalOf({ [name]: text });

    expect(refusal).toMatchObject({ code: "CONFIG_INVALID", issues: [{ pointer: name }] });
    expect(refusal.message).toMatch(line);
  });

  it.each([
    ["redis://:hunter#2@store.example", "#", "%23"],
    ["redis://user:1#2@store.example", "#", "%23"],
    ["rediss://:hunter/2@store.example:6380/1", "/", "%2F"],
    ["redis://:hunter%2@store.example", "%", "%25"],
    ["redis://:hunter%ff@store.example", "%", "%25"],
    ["redis://:hun@ter@store.example", "@", "%40"],
    ["redis://:hunter?2@store.example", "?", "%3F"],
    ["redis://:hunter#2@a.example:1,redis://b.example:2", "#", "%23"],
    ["sentinel://:hunter/2@a.example:1,b.example:2/main", "/", "%2F"],
    ["unix://:hunter#2@/run/redis.sock", "#", "%23"],
  ])("of REDIS_URL says which character of a password to escape: %s", (url, wrong, escaped) => {
    const { message } = refusalOf({ REDIS_URL: url });
    expect(message).toBe(
      `REDIS_URL: expected each ${wrong} in its user or password to be written as ${escaped}, got (hidden)`,
    );
  });

  it.each([
    ["redis://:hunter2@store.example:99999", "a host and a port, such as store.example:6379"],
    ["redis://:hunter2@store.example:port", "a host and a port, such as store.example:6379"],
    ["redis://:hunter2@", "a host and a port, such as store.example:6379"],
    ["redis://a.example:1,b.example:99999", "a host and a port, such as store.example:6379"],
    ["redis://:hunter2@store.example/x", "no path but the number of a database"],
    ["redis://a.example:1,http://:hunter2@b.example:2", "redis:// or rediss:// for each node of a cluster"],
    ["redis://a.example:1/2,b.example:2", "no database for a cluster, which has only 0"],
  ])("of REDIS_URL names a place: %s", (url, expected) => {
    expect(refusalOf({ REDIS_URL: url }).message).toBe(`REDIS_URL: expected ${expected}, got (hidden)`);
  });

  it.each([
    "redis://[::1]:6379",
    "rediss://store.example/?family=6",
    "redis://:p%23%2F%25%40@store.example:6379/0",
    "redis://a.example:1,b.example:2",
    "redis://a.example:1/0,rediss://b.example:2",
    "redis://:x@a.example:1,redis://:x@b.example:2",
    "sentinel://user:p%2Fw@a.example:1,b.example:2/main?db=1",
    "unix:///run/a@b#c.sock",
    "unix://user:pw@/run/redis.sock",
  ])("of REDIS_URL takes %s", (url) => {
    expect(readSettings({ REDIS_URL: url })).toMatchObject({ REDIS_URL: url });
  });

  it.each([
    ["REDIS_URL", "http://user:hunter2@store.example"],
    ["SMTP_URL", "hunter2"],
    ["HOLDFAST_API_KEYS", "ci:submit:hunter2"],
    ["HOLDFAST_API_KEYS", `ci:admin:${digest}:hunter2`],
    ["HOLDFAST_API_KEYS", `ci:submit:${digest},hunter2`],
  ])("of %s is not shown, because it can hold a secret", (name, text) => {
    const { message } = refusalOf({ [name]: text });

    expect(message).toMatch(new RegExp(`^${name}: expected .+, got \\(hidden\\)$`));
    expect(message).not.toContain("hunter2");
  });

  it("is reported with all others, one line each", () => {
    const refusal = refusalOf({
      HOLDFAST_PORT: "x",
      HOLDFAST_LOG_LEVEL: "y",
      HOLDFAST_PREFIX: "z!",
      HOLDFAST_NOPE: "1",
    });

    expect(refusal.message.split("\n")).toHaveLength(4);
    expect(new Set(refusal.issues.map(({ pointer }) => pointer))).toEqual(
      new Set(["HOLDFAST_NOPE", "HOLDFAST_PORT", "HOLDFAST_PREFIX", "HOLDFAST_LOG_LEVEL"]),
    );
  });
});

describe("an unknown name", () => {
  it.each(["HOLDFAST_RETENTION", "HOLDFAST_GATE_PORT", "HOLDFAST_", "HOLDFAST_constructor"])(
    "that looks like ours, %s, is refused",
    (name) => {
      expect(refusalOf({ [name]: "hunter2" }).message).toBe(
        `${name}: expected a known variable, got a name that Holdfast does not know`,
      );
    },
  );
});

describe("listening beyond loopback", () => {
  it.each(["0.0.0.0", "::", "192.168.1.5", "example.com", "127.0.0.1.example.com", "1270.0.0.1"])(
    "on %s is refused without API keys",
    (host) => {
      expect(refusalOf({ HOLDFAST_HOST: host }).message).toBe(
        `HOLDFAST_HOST: expected a loopback address while HOLDFAST_API_KEYS is not set, got "${host}"`,
      );
    },
  );

  it("is allowed with an API key", () => {
    const env = { HOLDFAST_HOST: "0.0.0.0", HOLDFAST_API_KEYS: `ci:submit:${digest}` };

    expect(readSettings(env).HOLDFAST_HOST).toBe("0.0.0.0");
  });

  it.each(["127.0.0.1", "127.8.8.8", "::1", "localhost"])("does not include %s", (host) => {
    expect(isLoopback(host)).toBe(true);
    expect(readSettings({ HOLDFAST_HOST: host }).HOLDFAST_HOST).toBe(host);
  });
});

describe("the hosts that are served besides loopback names", () => {
  const read = (text: string) => [...readSettings({ HOLDFAST_ALLOWED_HOSTS: text }).HOLDFAST_ALLOWED_HOSTS];

  it("are names or addresses with or without a port, in any case", () => {
    expect(read("Jobs.Example., 10.0.0.5:3000,[FD00::5],[fd00::5]:80,my_host")).toEqual([
      "jobs.example",
      "10.0.0.5:3000",
      "[fd00::5]",
      "[fd00::5]:80",
      "my_host",
    ]);
    expect(read("")).toEqual([]);
  });

  it.each([
    "*",
    "*.example",
    "http://jobs.example",
    "jobs.example/",
    "a,,b",
    "a:0",
    "a:65536",
    "a:x",
    "a b",
    "::1",
  ])("are not %s", (text) => {
    expect(() => read(text)).toThrow(/^HOLDFAST_ALLOWED_HOSTS: expected host names .* got "/);
  });
});

describe("the host's own variables", () => {
  const host = { HOST: "0.0.0.0", PORT: "http", LOG_LEVEL: "verbose" };

  it("are not read where Holdfast is a guest", () => {
    expect(readSettings(host)).toEqual(readSettings({}));
  });

  it("are read by the command's roles, and checked under their own names", () => {
    expect(() => readSettings(host, "bare-too")).toThrow(/^PORT: expected .*\nLOG_LEVEL: expected /);
    expect(() => readSettings({ HOST: "0.0.0.0" }, "bare-too")).toThrow(/^HOST: expected a loopback address/);
    expect(readSettings({ PORT: "8080" }, "bare-too").HOLDFAST_PORT).toBe(8080);
    expect(readSettings(roleEnvironment({ PORT: "8080" })).HOLDFAST_PORT).toBe(8080);
  });

  it("come after Holdfast's own", () => {
    const env = { PORT: "8080", HOLDFAST_PORT: "9090" };

    expect(readSettings(env, "bare-too").HOLDFAST_PORT).toBe(9090);
    expect(readSettings(roleEnvironment(env)).HOLDFAST_PORT).toBe(9090);
  });
});

describe("what Kubernetes says of its services", () => {
  const of = (name: string) => ({
    [`${name}_SERVICE_HOST`]: "10.0.0.1",
    [`${name}_SERVICE_PORT`]: "3000",
    [`${name}_SERVICE_PORT_HTTP`]: "3000",
    [`${name}_PORT`]: "tcp://10.0.0.1:3000",
    [`${name}_PORT_3000_TCP`]: "tcp://10.0.0.1:3000",
    [`${name}_PORT_3000_TCP_PROTO`]: "tcp",
    [`${name}_PORT_3000_TCP_PORT`]: "3000",
    [`${name}_PORT_3000_TCP_ADDR`]: "10.0.0.1",
  });

  it.each(["HOLDFAST", "HOLDFAST_API", "HOLDFAST_METRICS", "HOLDFAST_2"])("is ignored, as of %s", (name) => {
    expect(readSettings(of(name))).toEqual(readSettings({}));
    expect(readSettings({ ...of(name), PORT: "8080" }, "bare-too").HOLDFAST_PORT).toBe(8080);
  });

  it("does not allow a port that a person mistyped", () => {
    expect(() => readSettings({ HOLDFAST_API_PORT: "3000" })).toThrow(/^HOLDFAST_API_PORT: expected a known/);
    expect(() => readSettings({ HOLDFAST_PORT: "tcp" })).toThrow(/^HOLDFAST_PORT: expected a port/);
  });
});
