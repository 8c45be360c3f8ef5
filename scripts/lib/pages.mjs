// Pages outside the repository: their links lead back into it, because most of what they link to is not beside them.
import { readFileSync } from "node:fs";
import path from "node:path";

/** Packed with the build. */
export const pages = ["README.md", "CHANGELOG.md"];

const relativeLink = /(?<image>!?)(?<text>\[[^\]]*\])\((?!https?:|#|mailto:)(?<target>[^)\s]+)\)/g;

/** The text of a page as it is packed. */
export function packagedPage(page) {
  return withLinks(page, (target, isImage) => repositoryUrl(page, target, isImage ? "raw" : "blob"));
}

/** The text of a page, each of its relative links replaced with what `linkTo(target, isImage)` returns. */
export function withLinks(page, linkTo) {
  return readFileSync(page, "utf8").replace(
    relativeLink,
    (_link, image, text, target) => `${image}${text}(${linkTo(target, image !== "")})`,
  );
}

/** The address of what a page links to; of the repository itself without a page. */
export function repositoryUrl(page = "", target = "", view = "blob") {
  const { homepage } = JSON.parse(readFileSync("package.json", "utf8"));
  const repository = homepage.replace(/#.*$/, "");
  return page === ""
    ? repository
    : `${repository}/${view}/main/${path.posix.join(path.dirname(page), target)}`;
}
