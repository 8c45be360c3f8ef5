const ESCAPES: Readonly<Record<string, string>> = {
  "#": "%23",
  "/": "%2F",
  "?": "%3F",
  "%": "%25",
  "@": "%40",
};

/**
 * Which character of the user or the password of a Redis URL must be escaped: read as it is, the URL would name another host, or none.
 *
 * @returns completes "expected …", without the password; undefined where nothing is wrong
 */
export function passwordFault(url: string): string | undefined {
  // A path may contain what a password may not.
  if (url.startsWith("unix://")) return faultIn(/^unix:\/\/([^/@]*)@/.exec(url)?.[1] ?? "");
  return nodesOf(url).map(faultOfNode).find(Boolean);
}

/** Of a cluster, each; a comma in a password does not begin one. */
function nodesOf(url: string): string[] {
  return url.startsWith("sentinel://") ? [url] : url.split(/,(?=[a-z]+:\/\/|[^@]*$)/);
}

function faultOfNode(node: string): string | undefined {
  const rest = node.replace(/^[a-z]+:\/\//, "");
  return faultIn(rest.slice(0, Math.max(0, rest.lastIndexOf("@"))));
}

function faultIn(userInfo: string): string | undefined {
  const wrong = /[#/?@]|%(?![0-9a-f]{2})/i.exec(userInfo)?.[0] ?? (canDecode(userInfo) ? undefined : "%");
  if (wrong === undefined) return undefined;
  return `each ${wrong} in its user or password to be written as ${ESCAPES[wrong]}`;
}

function canDecode(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
