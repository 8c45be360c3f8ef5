// Generated parts of Markdown pages, between `<!-- generated: NAME -->` and `<!-- end of generated -->`.
import { Failure } from "./script.mjs";

const section = /(?<=<!-- generated: (?<name>\S+) -->\n)[\s\S]*?(?=<!-- end of generated -->)/g;

/** The text with current generated parts. `makers` are functions by name, possibly async. */
export async function withGeneratedSections(text, makers) {
  const names = new Set([...text.matchAll(section)].map(({ groups }) => groups.name));
  const made = new Map();
  for (const name of names) {
    if (!Object.hasOwn(makers, name)) throw new Failure(`Nothing makes a section "${name}"`);
    made.set(name, await makers[name]());
  }
  return text.replace(section, (_part, name) => `\n${made.get(name)}\n\n`);
}
