// The code of the providers' pages as it stands there: each page is compiled, and each of its effects declares the page's classifier.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { JobContract } from "holdfast";
import * as classifiers from "holdfast/evidence";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = join(root, "docs/providers");
const pages = readdirSync(folder).filter((name) => name.endsWith(".md") && name !== "README.md");

const block = /^(?:<!-- from: (?<source>[^\s#]+)(?:#\S+)? -->\n)?```ts\n(?<code>[\s\S]*?)\n```$/gm;

interface Quoted {
  readonly page: string;
  /** The file in which the code stands whole. */
  readonly source: string;
  readonly code: string;
}

/** Each page's code, by the file that it quotes. */
const quoted: Quoted[] = pages.flatMap((page) => {
  const codes = new Map<string, string[]>();
  for (const { groups = {} } of readFileSync(join(folder, page), "utf8").matchAll(block)) {
    const { source = "nowhere", code = "" } = groups;
    codes.set(source, [...(codes.get(source) ?? []), code]);
  }
  return [...codes].map(([source, parts]) => ({ page, source, code: parts.join("\n") }));
});

/** What the compiler has against a page's code below the imports of its source. */
function faultsOf(all: readonly Quoted[]): string[] {
  const config = join(root, "lab/truth/tsconfig.json");
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(config, ts.sys.readFile).config,
    ts.sys,
    dirname(config),
  );
  const texts = new Map(
    all.map((one) => [pathOf(one), `${importsOf(one.source)}\n${one.code}\nexport {};\n`]),
  );
  const own = { ...options, noEmit: true, noUnusedLocals: false, noUnusedParameters: false };
  const host = ts.createCompilerHost(own);
  const { fileExists, readFile } = host;
  host.fileExists = (file) => texts.has(file) || fileExists.call(host, file);
  host.readFile = (file) => texts.get(file) ?? readFile.call(host, file);
  const program = ts.createProgram([...texts.keys()], own, host);
  const files = program.getSourceFiles().filter(({ fileName }) => texts.has(fileName));
  return files
    .flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)])
    .map(
      ({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`,
    );
}

/** Beside its source, so that it finds the same packages. */
function pathOf({ page, source }: Quoted): string {
  return join(root, dirname(source), `${page}.${source.replaceAll("/", "-")}`);
}

function importsOf(source: string): string {
  const text = readFileSync(join(root, source), "utf8");
  return (text.match(/^import [\s\S]*?;$/gm) ?? []).join("\n");
}

async function contractsIn(source: string): Promise<JobContract[]> {
  const module: object = await import(pathToFileURL(join(root, source)).href);
  return Object.values(module).filter((value) => Object(value).effects !== undefined && "type" in value);
}

describe("the providers' pages", () => {
  it("quote all their code from the examples", () => {
    expect(quoted.map(({ page }) => page)).toEqual(expect.arrayContaining(pages));
    expect(quoted.filter(({ source }) => !source.startsWith("examples/providers/"))).toEqual([]);
  });

  it("compile as they stand", { timeout: 120_000 }, () => {
    expect(faultsOf(quoted)).toEqual([]);
  });

  it.each(quoted)("name the classifier that $source declares", async ({ page, source, code }) => {
    const contracts = await contractsIn(source);
    const effects = contracts.flatMap((contract) => Object.values(contract.effects));
    expect(effects.length).toBeGreaterThan(0);
    for (const { classify } of effects) {
      const known = Object.entries(classifiers).filter(([, value]) => value === classify);
      const [name = "none"] = known
        .map(([each]) => each)
        .filter((each) => code.includes(`classify: ${each}`));
      expect(classifiers).toHaveProperty(name);
      expect(readFileSync(join(folder, page), "utf8")).toContain(`\`${name}\``);
    }
  });
});
