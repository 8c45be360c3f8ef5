// The reference of the package's entries, from their docstrings.
import { Application } from "typedoc";
import { packageEntries } from "./package-entries.mjs";
import { repositoryUrl } from "./pages.mjs";

/** Writes a page for each entry of the package. Returns what is wrong with the docstrings, one line each. */
export async function writeApiPages(folder) {
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
