// The package once more, as CommonJS: Jest requires no ES modules. Everything else loads the ES modules, also by `require`, so that each class
// and registry is there once: see `module-sync` and `module` in package.json.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { modulesOfEntries } from "./package-entries.mjs";
import { linkToVendored } from "./vendor.mjs";

const folder = "dist/cjs";
const imports = /\b(?:from|import)\s*\(?\s*"(\.[^"]+\.(?:js|ts))"/g;
const url = 'const moduleUrl = require("node:url").pathToFileURL(__filename).href;\n';

/** Writes CommonJS of each compiled module that an entry reaches. */
export async function buildCommonJs() {
  const { transform } = await import("esbuild"); // not installed yet when this file is first loaded
  for (const module of reached(modulesOfEntries(), (file) => file)) {
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

/** Writes the types that an entry reaches, for both builds. */
export function copyTypes() {
  const entries = modulesOfEntries().map(typesOf);
  for (const module of reached(entries, typesOf))
    for (const build of ["dist", folder])
      write(path.join(build, module), readFileSync(path.join("build", module), "utf8"));
}

function typesOf(module) {
  return module.replace(/\.[jt]s$/, ".d.ts");
}

/** All that modules of `build/` import, and they themselves. */
function reached(modules, asFile) {
  const files = new Set(modules);
  for (const file of files) {
    for (const [, specifier] of readFileSync(path.join("build", file), "utf8").matchAll(imports)) {
      const found = asFile(path.join(path.dirname(file), specifier));
      if (existsSync(path.join("build", found))) files.add(found);
    }
  }
  return files;
}

function write(file, text) {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}
