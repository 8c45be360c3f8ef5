// The reference of the package's entries, from their docstrings.
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Application } from "typedoc";
import { sourcesUnder, stampOf } from "./build.mjs";
import { packageEntries } from "./package-entries.mjs";
import { repositoryUrl } from "./pages.mjs";

const kept = "node_modules/.cache/holdfast/api-pages";
const sources = () => [
  ...sourcesUnder("src"),
  "scripts/lib/api-pages.mjs",
  "tsconfig.json",
  "package-lock.json",
];

/** Writes a page for each entry of the package; of the same sources only once. Returns what is wrong with the docstrings, one line each. */
export async function writeApiPages(folder) {
  const stampFile = path.join(kept, "stamp");
  const stamp = stampOf(sources());
  if (!existsSync(stampFile) || readFileSync(stampFile, "utf8") !== stamp) {
    rmSync(kept, { recursive: true, force: true });
    const faults = await makeApiPages(path.join(kept, "api"));
    if (faults.length > 0) return faults;
    writeFileSync(stampFile, stamp);
  }
  cpSync(path.join(kept, "api"), folder, { recursive: true });
  return [];
}

async function makeApiPages(folder) {
  const app = await Application.bootstrapWithPlugins({
    plugin: ["typedoc-plugin-markdown"],
    entryPoints: packageEntries().map(({ source }) => source),
    tsconfig: "tsconfig.json",
    skipErrorChecking: true, // the gate's types check does it
    disableGit: true,
    basePath: process.cwd(),
    sourceLinkTemplate: `${repositoryUrl()}/blob/main/src/{path}#L{line}`,
    name: "API",
    readme: "none",
    groupOrder: ["Functions", "Classes", "Interfaces", "Type Aliases"],
    excludeExternals: true,
    excludeInternal: true,
    validation: { notExported: false, invalidLink: true },
    router: "module",
    entryFileName: "index.md",
    hidePageHeader: true,
    hideBreadcrumbs: true,
    useCodeBlocks: true,
    parametersFormat: "table",
    interfacePropertiesFormat: "table",
    classPropertiesFormat: "table",
    typeAliasPropertiesFormat: "table",
    typeDeclarationFormat: "table",
    propertyMembersFormat: "table",
    tableColumnSettings: { hideSources: true, hideModifiers: true, hideOverrides: true, hideInherited: true },
    useHTMLEncodedBrackets: true,
    sanitizeComments: true,
    logLevel: "Warn",
    out: folder, // its default is docs/, which it would clean
    cleanOutputDir: false,
  });
  const project = await app.convert();
  if (project === undefined) return ["TypeDoc could not read the package's entries: see above"];
  app.validate(project);
  await app.generateOutputs(project);
  const { warningCount, errorCount } = app.logger;
  return warningCount + errorCount === 0 ? [] : ["The docstrings have faults: see above."];
}
