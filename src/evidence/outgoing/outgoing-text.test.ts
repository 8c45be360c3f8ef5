import { describe, expect, it } from "vitest";
import { evidenceText } from "./outgoing-text.ts";

const begun = Date.parse("2026-11-28T03:00:00Z");
const charge = {
  at: new Date(begun).toISOString(),
  protocol: "https",
  host: "api.stripe.com:443",
  method: "POST",
  path: "/v1/charges",
  sent: "all",
  status: null,
  ended: "ECONNRESET",
  afterMs: 1_200,
} as const;

describe("what an effect was seen to send", () => {
  it("is one sentence, also where it was sent again", () => {
    const at = new Date(begun + 1_800).toISOString();
    expect(evidenceText([charge, { ...charge, at, sent: null, ended: "ECONNREFUSED", afterMs: 0 }])).toBe(
      "POST api.stripe.com/v1/charges: sent, connection reset after 1.2 s; tried again 600 ms later: refused",
    );
    expect(evidenceText([charge, { ...charge, at, status: 402, ended: "answered", afterMs: 300 }])).toBe(
      "POST api.stripe.com/v1/charges: sent, connection reset after 1.2 s; sent again 600 ms later: sent, answered 402 after 300 ms",
    );
  });

  it.each([
    [{ ...charge, sent: "part", ended: "closed" }, "sent in part, connection closed after 1.2 s"],
    [{ ...charge, ended: null, afterMs: null }, "sent, no answer"],
    [{ ...charge, status: 200, ended: "UND_ERR_SOCKET" }, "sent, answered 200, connection lost after 1.2 s"],
    [{ ...charge, sent: null, ended: "ENOTFOUND" }, "nothing sent, host not found after 1.2 s"],
    [{ ...charge, ended: "E_OTHER" }, "sent, E_OTHER after 1.2 s"],
  ] as const)("says how it ended: %#", (one, text) => {
    expect(evidenceText([one])).toBe(`POST api.stripe.com/v1/charges: ${text}`);
  });

  it("names other targets each, and connections by their protocol", () => {
    const mail = { ...charge, protocol: "tls", host: "smtp.example:465", method: null, path: null } as const;
    expect(evidenceText([charge, mail])).toBe(
      "POST api.stripe.com/v1/charges: sent, connection reset after 1.2 s; tls smtp.example:465: sent, connection reset after 1.2 s",
    );
  });

  it("says where nothing was seen, and where not all is kept", () => {
    expect(evidenceText([])).toBe("not seen");
    expect(evidenceText(Array(20).fill(charge))).toMatch(/; what came after these is not kept$/);
  });
});
