import { describe, expect, it } from "vitest";
import { createHostGuard } from "./hosts.ts";

const guard = createHostGuard(new Set(["jobs.example", "10.0.0.5:3000", "[fd00::5]"]));
const answer = (hosts: readonly string[], url = "/jobs") =>
  guard({ rawHeaders: hosts.flatMap((host) => ["Host", host]), url });

describe("without API keys a request", () => {
  it.each([
    "localhost",
    "localhost:3000",
    "LOCALHOST:80",
    "localhost.",
    "localhost.:3000",
    "app.localhost:3000",
    "a.b.localhost.",
    "127.0.0.1",
    "127.0.0.1:3000",
    "127.9.8.7:1",
    "[::1]",
    "[::1]:3000",
    "localhost:",
    "jobs.example",
    "JOBS.example.:8443",
    "10.0.0.5:3000",
    "[FD00::5]:3000",
  ])("is served under the host %s", (host) => {
    expect(answer([host])).toBeUndefined();
  });

  it.each([
    "evil.example",
    "evil.example:3000",
    "127.0.0.1.evil.example",
    "127.evil.example",
    "localhost.evil.example",
    "evillocalhost",
    "evil.example/.localhost",
    "evil.example#.localhost",
    "evil.example?.localhost",
    "evil.example\\.localhost",
    "evil.example@localhost",
    "localhost@evil.example",
    "localhost:3000@evil.example",
    "localhost, evil.example",
    "localhost evil.example",
    ".localhost",
    "",
    ":3000",
    "0.0.0.0:3000",
    "0",
    "127.1",
    "0x7f.0.0.1",
    "2130706433",
    "0177.0.0.1",
    "128.0.0.1",
    "10.0.0.5",
    "10.0.0.5:3001",
    "192.168.0.1:3000",
    "[::]",
    "[::ffff:10.0.0.5]",
    "[fe80::1%lo]",
    "[::1].evil.example",
    "[::1",
    "sub.jobs.example",
    "jobs.example.evil.example",
    "localhost\u0000.evil.example",
    "lócalhost",
    `${"a".repeat(300)}.localhost`,
  ])("is refused under the host %j", (host) => {
    expect(answer([host])).toMatchObject({ code: "HOST_NOT_ALLOWED", statusCode: 421 });
  });

  it("is refused where one of several hosts is a stranger's, and where there is none", () => {
    expect(answer(["localhost", "evil.example"])).toBeDefined();
    expect(answer(["evil.example", "localhost"])).toBeDefined();
    expect(answer([])).toBeDefined();
  });

  it("is judged by the host in its target as well, which counts for more than the header", () => {
    expect(answer(["localhost"], "http://evil.example/jobs")).toBeDefined();
    expect(answer(["localhost"], "HTTP://localhost@evil.example/jobs")).toBeDefined();
    expect(answer(["localhost"], "evil.example:443")).toBeDefined();
    expect(answer(["evil.example"], "http://localhost/jobs")).toBeDefined();
    expect(answer(["localhost"], "http://127.0.0.1:3000/jobs")).toBeUndefined();
    expect(answer(["localhost"], "*")).toBeUndefined();
  });

  it("is refused with what was found, cut to a bounded length", () => {
    expect(answer(["evil.example:3000"])?.message).toMatch(
      /HOLDFAST_ALLOWED_HOSTS, got "evil\.example:3000"$/,
    );
    expect(answer(["x".repeat(10_000)])?.message.length).toBeLessThan(350);
  });
});
