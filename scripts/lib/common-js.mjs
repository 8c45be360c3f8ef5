// The package once more, as CommonJS: Jest requires no ES modules. Everything else loads the ES modules, also by `require`, so that each class
// and registry is there once: see `module-sync` and `module` in package.json.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { packageEntries } from "./package-entries.mjs";

const folder = "dist/cjs";
const imports = /\b(?:from|import)\s*\(?\s*"(\.[^"]+\.(?:js|ts))"/g;

/** Writes CommonJS of each compiled module that an entry reaches, and its types. */
export async function buildCommonJs() {
  const { transform } = await import("esbuild"); // not installed yet when this file is first loaded
  rmSync(folder, { recursive: true, force: true });
  for (const file of reachedModules()) {
    const { code } = await transform(readFileSync(file, "utf8"), {
      format: "cjs",
      platform: "node",
      target: "node20.19",
      // Jest has no `import()`, either.
      supported: { "dynamic-import": false },
      define: { "import.meta.url": "moduleUrl" },
    });
    const target = path.join(folder, path.relative("dist", file));
    const linked = code.replace(/(?<=require\(")(\.\.\/)+vendor\//g, "../$&"); // both builds share it
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, code.includes("moduleUrl") ? `${urlOf(file, target)}${linked}` : linked);
  }
  for (const file of reachedTypes()) cpSync(file, path.join(folder, path.relative("dist", file)));
  writeFileSync(path.join(folder, "package.json"), '{ "type": "commonjs" }\n');
}

/** That of the ES module: pages and threads are beside that. */
function urlOf(file, target) {
  const relative = path.relative(path.dirname(target), file);
  return `const moduleUrl = require("node:url").pathToFileURL(require("node:path").join(__dirname, "${relative}")).href;\n`;
}

function reachedModules() {
  return reached(".js", (file) => file);
}

function reachedTypes() {
  return reached(".d.ts", (file) => file.replace(/\.[jt]s$/, ".d.ts"));
}

function reached(ending, asFile) {
  const entries = packageEntries().map(({ source }) =>
    path.join("dist", path.relative("src", source)).replace(/\.ts$/, ending),
  );
  const files = new Set(entries);
  for (const file of files) {
    for (const [, specifier] of readFileSync(file, "utf8").matchAll(imports)) {
      const found = path.join(path.dirname(file), asFile(specifier));
      if (existsSync(found)) files.add(found);
    }
  }
  return files;
}
