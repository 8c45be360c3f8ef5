const ESCAPES: Readonly<Record<string, string>> = {
  "#": "%23",
  "/": "%2F",
  "?": "%3F",
  "%": "%25",
  "@": "%40",
};

/**
 * What is wrong with a Redis URL that its client would read as another place, or throw with the password in its message: a character of the
 * user or the password that must be escaped, a port that is none, a database that is no number.
 *
 * @returns completes "expected …", without the password; undefined where nothing is wrong
 */
export function redisUrlFault(url: string): string | undefined {
  // A path may contain what a password may not.
  if (url.startsWith("unix://")) return faultIn(/^unix:\/\/([^/@]*)@/.exec(url)?.[1] ?? "");
  const ofPlace = url.startsWith("sentinel://") ? () => undefined : faultOfPlace;
  const nodes = nodesOf(url);
  const ofMember = nodes.length > 1 ? faultOfMember : () => undefined;
  return nodes.map((node) => faultOfNode(node) ?? ofPlace(node) ?? ofMember(node)).find(Boolean);
}

/** Of one node of a cluster: what its client does not look at. */
function faultOfMember(node: string): string | undefined {
  const [, scheme = "redis", place = ""] = /^(?:([a-z]+):\/\/)?(.*)$/s.exec(node) ?? [];
  if (!/^rediss?$/.test(scheme)) return "redis:// or rediss:// for each node of a cluster";
  const { pathname } = new URL(`redis://${place}`);
  return /^(\/0*)?$/.test(pathname) ? undefined : "no database for a cluster, which has only 0";
}

/** Of a cluster, each; a comma in a password does not begin one. */
function nodesOf(url: string): string[] {
  return url.startsWith("sentinel://") ? [url] : url.split(/,(?=[a-z]+:\/\/|[^@]*$)/);
}

function faultOfNode(node: string): string | undefined {
  const rest = node.replace(/^[a-z]+:\/\//, "");
  return faultIn(rest.slice(0, Math.max(0, rest.lastIndexOf("@"))));
}

function faultOfPlace(node: string): string | undefined {
  const url = `redis://${node.replace(/^[a-z]+:\/\//, "")}`;
  if (!URL.canParse(url)) return "a host and a port, such as store.example:6379";
  return /^(\/\d*)?$/.test(new URL(url).pathname) ? undefined : "no path but the number of a database";
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
