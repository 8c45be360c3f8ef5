import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { malformed, parseJson } from "./parse-json.ts";

const issuesOf = (text: string, partsAt?: number) => parseJson(text, partsAt).issues;
const pointersOf = (text: string, partsAt?: number) => issuesOf(text, partsAt).map(({ pointer }) => pointer);

const isHarmless = (name: string) => name !== "__proto__" && name !== "constructor";

/** Names with characters that the scan must not confuse with structure. */
const names = fc.oneof(
  fc.constantFrom("a", "b", "", '"', "\\", '\\"', "{", "}", ",", ":", "1e999"),
  fc.string(),
);
const values = fc.json({ maxDepth: 5 }).filter((text) => !/__proto__|constructor/.test(text));

describe("JSON from a stranger", () => {
  it("is what JSON.parse makes of it, where every reader would make the same of it", () => {
    fc.assert(
      fc.property(values, fc.nat(3), (text, indent) => {
        const spaced = JSON.stringify(JSON.parse(text), null, indent);
        expect(parseJson(spaced)).toStrictEqual({ value: JSON.parse(text), issues: [] });
      }),
    );
  });

  it("has an issue for each repeated member of an object, however its name is written", () => {
    const object = fc.uniqueArray(names.filter(isHarmless), { minLength: 1 });
    fc.assert(
      fc.property(object, fc.array(fc.nat()), values, fc.boolean(), (unique, again, value, isEscaped) => {
        const repeated = again.map((index) => unique[index % unique.length] ?? "");
        const members = [...unique, ...repeated].map((name, at) => {
          const written = at >= unique.length && isEscaped ? escaped(name) : JSON.stringify(name);
          return `${written} : ${value}`;
        });
        const text = `[0, {${members.join(" , ")}}, "${"\\\\".repeat(again.length)}"]`;
        expect(issuesOf(text)).toHaveLength(Math.min(50, repeated.length));
      }),
    );
  });

  it("may use a name again in another object, and as a value", () => {
    expect(issuesOf('{"a":{"a":["a",{"a":"a"},{"a":"a"}]},"b":"a"}')).toEqual([]);
  });

  it("is refused where it uses a name again, with a pointer to it", () => {
    expect(issuesOf('{"payload":{"x":[1,{"n/m":1,"o":2,"n\\u002fm":3}]}}')).toEqual([
      { pointer: "/payload/x/1/n~1m", message: "expected one member of this name" },
    ]);
  });

  it.each(["__proto__", "constructor", "\\u005f_proto__"])("may not name a member %s", (name) => {
    expect(issuesOf(`{"a":[{"${name}":1}],"b":"${name}"}`)).toMatchObject([
      { pointer: expect.stringMatching(/^\/a\/0\/(__proto__|constructor)$/) },
    ]);
  });

  it("is no JSON, and a SyntaxError, where JSON.parse says so", () => {
    expect(() => parseJson('{"a":1,}')).toThrow(SyntaxError);
    expect(() => parseJson("\ufeff{}")).toThrow(SyntaxError);
  });
});

/** Every unit as \uXXXX. */
function escaped(name: string): string {
  const units = Array.from({ length: name.length }, (_, at) => name.charCodeAt(at));
  return `"${units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("")}"`;
}

describe("a number in JSON", () => {
  it.each([
    "0",
    "-0",
    "1",
    "-1",
    "1.0",
    "1.50",
    "1e2",
    "1E+2",
    "1e-2",
    "123456789012345",
    "9007199254740991",
    "-9007199254740991",
    "9007199254740992",
    "100000000000000000000",
    "1e21",
    "1.0e22",
    "1e23",
    "1000000000000000000000",
    "9007199254740992.0",
    "90071992547409920e-1",
    "9.007199254740992E15",
    "9007199254740993.5",
    "123456789012345678e-2",
    `0.${"0".repeat(400)}1e401`,
    `1${"0".repeat(400)}e-400`,
    "0e-99999999999999999999",
    "1.7976931348623157e308",
    "5e-324",
    "0.1000000000000000055511151231257827",
    "0.000000000000000000",
    "0e999",
    "-0.0e-5",
  ])("may be %s", (text) => {
    expect(issuesOf(`[${text}]`)).toEqual([]);
    expect(issuesOf(text)).toEqual([]);
  });

  it.each([
    "1e400",
    "-1e400",
    "1e999",
    "1e-400",
    `0.${"0".repeat(400)}1`,
    "9".repeat(400),
    "9007199254740993",
    "-9007199254740993",
    "12345678901234567890",
    "9007199254740993.0",
    "-9007199254740993.000",
    "9007199254740993e0",
    "9007199254740993E+0",
    "9007199254740993e-0",
    "90071992547409930e-1",
    "9007199254740993000e-3",
    "9.007199254740993e15",
    "0.009007199254740993e+18",
    "900719925474099.3e1",
    "99999999999999991611392",
    "0.99999999999999991611392e23",
  ])("may not be %s, of which a double makes another", (text) => {
    expect(pointersOf(`[0,${text}]`)).toEqual(["/1"]);
    expect(pointersOf(text)).toEqual([""]);
  });

  it("may be any that a double can hold, as JavaScript writes it", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        expect(parseJson(JSON.stringify(number))).toStrictEqual({ value: number + 0, issues: [] });
      }),
    );
  });

  it("that is whole never becomes another whole number, in any notation", () => {
    const whole = fc.oneof(
      fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }),
      fc.bigInt({ min: 2n ** 53n - 20n, max: 2n ** 53n + 20n }),
      fc
        .tuple(fc.bigInt({ min: 1n, max: 2n ** 54n }), fc.nat(280))
        .map(([n, power]) => n * 10n ** BigInt(power)),
    );
    fc.assert(
      fc.property(whole, fc.nat(30), fc.integer({ min: -30, max: 30 }), (number, zeros, shift) => {
        const written = inNotation(number, zeros, shift);
        const { value, issues } = parseJson(written);
        expect(issues.length === 0).toBe(exact(String(value)) === number);
      }),
      { examples: [[0n, 0, -1]] },
    );
  });

  it("that is a fraction is rounded", () => {
    const digits = fc.bigInt({ min: 1n, max: 10n ** 30n }).filter((n) => n % 10n !== 0n);
    fc.assert(
      fc.property(digits, fc.integer({ min: 1, max: 40 }), (number, places) => {
        const written = `${number}e-${places}`;
        expect(parseJson(written)).toStrictEqual({ value: Number(written), issues: [] });
      }),
    );
  });

  it("of a million zeros is read in no time", () => {
    const before = process.cpuUsage(); // other tests run beside this one
    expect(issuesOf(`0.${"0".repeat(1_000_000)}1e1000001`)).toEqual([]);
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(1_000);
  });
});

/** Writes a whole number with a point, zeros after it, and an exponent. */
function inNotation(number: bigint, zeros: number, shift: number): string {
  const sign = number < 0n ? "-" : "";
  const digits = String(number < 0n ? -number : number);
  if (shift === 0) return `${sign}${digits}${zeros === 0 ? "" : `.${"0".repeat(zeros)}`}`;
  // JSON knows no number with two zeros at its start.
  if (shift < 0) return `${sign}${number === 0n ? "0" : digits + "0".repeat(-shift)}e${shift}`;
  const padded = digits.padStart(shift + 1, "0");
  return `${sign}${padded.slice(0, -shift)}.${padded.slice(-shift)}${"0".repeat(zeros)}E+${shift}`;
}

/** The exact value of a whole number that a double prints as. */
function exact(printed: string): bigint {
  const [mantissa = "", exponent = "0"] = printed.split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  return BigInt(whole + fraction) * 10n ** BigInt(Number(exponent) - fraction.length);
}

describe("nesting", () => {
  const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);

  it("of 64 levels is read, one more is refused, once", () => {
    expect(issuesOf(nested(64))).toEqual([]);
    expect(issuesOf(nested(70))).toEqual([
      { pointer: "/0".repeat(64), message: "expected at most 64 levels" },
    ]);
  });

  it("counts from each part, where parts are judged by themselves", () => {
    expect(issuesOf(`{"jobs":[${nested(64)}]}`, 2)).toEqual([]);
    expect(pointersOf(`{"jobs":[1,${nested(65)}]}`, 2)).toEqual([`/jobs/1${"/0".repeat(64)}`]);
  });

  it("of a million levels is refused as well", () => {
    expect(issuesOf(nested(1_000_000))).toHaveLength(1);
  });
});

describe("JSON that is wrong all over", () => {
  const wrong = `[${Array.from({ length: 1_000 }, () => "1e999").join()}]`;

  it("has its first 50 issues reported", () => {
    expect(issuesOf(wrong)).toHaveLength(50);
  });

  it("is the first 50 of each part, so that none passes for good", () => {
    const parts = pointersOf(`{"jobs":[${wrong},1,${wrong}]}`, 2);

    expect(parts.filter((pointer) => pointer.startsWith("/jobs/0/"))).toHaveLength(50);
    expect(parts.filter((pointer) => pointer.startsWith("/jobs/2/"))).toHaveLength(50);
  });

  it("are pointers of bounded length", () => {
    const [pointer = ""] = pointersOf(`{"${"n".repeat(100_000)}":1e999}`);

    expect(pointer).toMatch(/^\/n{499}…$/);
  });

  it("bears the payload's code where only the payload is wrong", () => {
    expect(malformed(issuesOf('{"payload":[1e999]}')).code).toBe("INVALID_PAYLOAD");
    expect(malformed(issuesOf('{"type":1,"payload":[1e999],"type":1}')).code).toBe("INVALID_REQUEST");
  });
});
