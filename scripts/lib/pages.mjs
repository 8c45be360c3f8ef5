// The pages of the package: their links lead into the repository, because most of what they link to is not packed.
import { readFileSync } from "node:fs";

/** Packed with the build. */
export const pages = ["README.md", "CHANGELOG.md"];

const relativeLink = /(?<image>!?)(?<text>\[[^\]]*\])\((?!https?:|#|mailto:)(?<target>[^)\s]+)\)/g;

/** The text of a page as it is packed. */
export function packagedPage(page) {
  const { homepage } = JSON.parse(readFileSync("package.json", "utf8"));
  const repository = homepage.replace(/#.*$/, "");
  return readFileSync(page, "utf8").replace(relativeLink, (_link, image, text, target) => {
    return `${image}${text}(${repository}/${image ? "raw" : "blob"}/main/${target})`;
  });
}
