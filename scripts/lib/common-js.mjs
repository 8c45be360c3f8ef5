// The package once more, as CommonJS: Jest requires no ES modules. Everything else loads the ES modules, also by `require`, so that each class
// and registry is there once: see `module-sync` and `module` in package.json.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { modulesOfEntries, reachedFrom } from "./package-entries.mjs";
import { linkToVendored } from "./vendor.mjs";

const folder = "dist/cjs";
const url = 'const moduleUrl = require("node:url").pathToFileURL(__filename).href;\n';

/** Writes CommonJS of each compiled module that an entry reaches. */
export async function buildCommonJs() {
  const { transform } = await import("esbuild"); // not installed yet when this file is first loaded
  for (const module of reachedFrom(modulesOfEntries())) {
    const { code } = await transform(readFileSync(path.join("build", module), "utf8"), {
      format: "cjs",
      platform: "node",
      target: "node20.19",
      // Jest has no `import()`, either.
      supported: { "dynamic-import": false },
      define: { "import.meta.url": "moduleUrl" },
    });
    const target = path.join(folder, module);
    write(target, linkToVendored(code.includes("moduleUrl") ? `${url}${code}` : code, target));
  }
  write(path.join(folder, "package.json"), '{ "type": "commonjs" }\n');
}

function write(file, text) {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}
