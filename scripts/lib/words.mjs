// Words that this project used for itself alone, and the field's words for the same things. See GLOSSARY.md.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { filesUnder } from "./files.mjs";

const replacements = [
  [/\b[Tt]aken\b|[a-z]Taken|TakenJob|taken[A-Z]/, "claimed (a job), in use (a port)"],
  [
    /\b[Ss]ettl(e|es|ed|ing)(?![a-z])|(?<!all)(?<!All)Settle[ds]?(?![a-z])/,
    "finish (an attempt), resolve (a doubt)",
  ],
  [/\b[Pp]ut(s|ting)? back\b|[pP]utBack/, "release"],
  [/\b[Ss]et(s|ting)? aside\b|setAside|[Pp]ostpone/, "snooze, defer"],
  [/[Ss]uspects?(?![a-z])/, "poison job"],
  [/\b[Dd]eaf|Deaf|DEAF/, "stuck"],
  [/\b[Ss]igns? of life\b|\b[Ee]xcuse/, "heartbeat, reset"],
  [/[Ss]eal(s|ed|er|ing)?(?![a-z])/, "encrypt, codec"],
  [/[Oo]ffen[cs]e/, "issue"],
  [/[Ff]ault[- ]?[Pp]oint|\b[Ss]tr(ike|ikes|uck)\b/, "failpoint, injected fault"],
  [/\bpatient\b|\b[Pp]atience\b|isPatient/, "retrying"],
  [/[Ff]ollowers?(?![a-z])/, "subscriber"],
  [/\b[Dd]eserted\b|\b[Ll]inger|\bunlooked\b/, "idle, grace, jobsSinceMemoryCheck"],
  [/\b[Cc]laimant\b|\bEffectOwner\b/, "reservation, context"],
  [/^(<{7}|>{7}) /, "which side of the merge holds"],
];

/** Finds old words in files. Returns one line for each. */
export function oldWordsIn(paths) {
  return paths
    .flatMap((path) => (/\.[a-z]+$/.test(path) ? [path] : filesUnder(path)))
    .filter((path) => /\.(ts|tsx|lua|md|mjs|css|html)$/.test(path))
    .flatMap(oldWordsInFile);
}

function oldWordsInFile(path) {
  return readFileSync(path, "utf8")
    .split("\n")
    .flatMap((line, index) =>
      replacements
        .filter(([word]) => word.test(line.replaceAll(/Promise\.allSettled|allSettled/g, "")))
        .map(
          ([word, instead]) =>
            `${path}:${index + 1}: "${word.exec(line.replaceAll(/allSettled/g, ""))?.[0]}": say ${instead}`,
        ),
    );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const found = oldWordsIn(process.argv.slice(2));
  for (const line of found) console.log(line);
  console.log(`${found.length} uses of old words`);
}
