/** Why a Redis that answers rejects this process, and the remedy: trying again does not help. */
interface Rejection {
  readonly sign: RegExp;
  /** `$1` is what the sign captured. */
  readonly meaning: string;
  readonly remedy: string;
}

const rejections: readonly Rejection[] = [
  {
    sign: /^SENTINELAUTH/,
    meaning: "the sentinels ask for a password of their own, and REDIS_URL has none or a wrong one",
    remedy:
      "REDIS_URL=sentinel://…/MASTER?sentinelPassword=PASSWORD, and sentinelUsername=NAME if they have users",
  },
  {
    sign: /^NOMASTER (.*)/,
    meaning: "the sentinels answer, and know no master named $1",
    remedy: "REDIS_URL=sentinel://HOST:PORT/MASTER; SENTINEL MASTERS lists the names",
  },
  {
    sign: /^NOAUTH/,
    meaning: "Redis asks for a password, and REDIS_URL has none",
    remedy: "REDIS_URL=redis://USER:PASSWORD@…",
  },
  {
    sign: /^WRONGPASS|invalid password|invalid username-password/,
    meaning: "Redis does not accept the user and password of REDIS_URL",
    remedy: "correct them; ACL LIST shows Redis's users",
  },
  {
    sign: /NOPERM|^DENIED/,
    meaning: "Redis does not allow this user what Holdfast needs",
    remedy: "ACL SETUSER … +@all with the application's keys and channels (~PREFIX:* &PREFIX:*)",
  },
  {
    sign: /^DB index is out of range/,
    meaning: "Redis has no database of the number in REDIS_URL",
    remedy:
      "name one below `databases` of its configuration; HOLDFAST_PREFIX separates several applications in one",
  },
  {
    sign: /Unknown RESP type|Protocol error/,
    meaning: "the server at REDIS_URL does not speak the protocol of Redis",
    remedy: "check host, port and scheme (rediss:// for TLS)",
  },
  {
    sign: /^SENTINELTLS/,
    meaning: "TLS with the sentinels failed: their certificate is not trusted, or they speak none",
    remedy:
      "check sentinelTls in REDIS_URL and the sentinels' certificate (NODE_EXTRA_CA_CERTS=FILE for an authority of your own)",
  },
  {
    sign: /SELF_SIGNED|UNABLE_TO_|self.signed certificate|unable to (?:get|verify)/,
    meaning: "TLS with Redis failed: its certificate is of an authority that this process does not trust",
    remedy: "NODE_EXTRA_CA_CERTS=FILE, with that authority's certificate",
  },
  {
    sign: /ALTNAME_INVALID/,
    meaning:
      "TLS with Redis failed: its certificate is for another name than the one in REDIS_URL, or that a node announces",
    remedy: "use a name that the certificate has, or have one made for this name",
  },
  {
    sign: /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/,
    meaning: "TLS with Redis failed: its certificate is not valid today",
    remedy: "renew it, or set this machine's clock right",
  },
  {
    sign: /CERT|ERR_TLS|ERR_SSL|EPROTO/,
    meaning: "TLS with Redis failed",
    remedy:
      "check that the port speaks TLS (rediss:// for TLS, redis:// for none), and Redis's certificate (NODE_EXTRA_CA_CERTS=FILE for an authority of your own)",
  },
  {
    sign: /cluster support disabled/,
    meaning: "REDIS_URL names several nodes, and this is no Redis Cluster",
    remedy: "name one node; a Sentinel set is sentinel://…",
  },
  {
    sign: /^(MOVED|CROSSSLOT|CLUSTERDOWN)/,
    meaning: "this is a Redis Cluster that cannot be used with this REDIS_URL",
    remedy: "name several of its nodes, comma-separated, and see CLUSTER INFO",
  },
];

/** Returns why Redis rejects this process, in one line without addresses and secrets; undefined if it is only out of reach. */
export function rejectionIn(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = causeOf(cause)) {
    const code = "code" in cause ? String(cause.code) : "";
    const message = cause.message.replace(/^(ERR|-)\s*/, "");
    const found = rejections.find(({ sign }) => sign.test(code) || sign.test(message));
    if (found === undefined) continue;
    const [, named = ""] = found.sign.exec(message) ?? [];
    return `${found.meaning.replace("$1", () => named)}. Remedy: ${found.remedy}.`;
  }
  return undefined;
}

/** A cluster's client only says that all nodes failed; what one of them said is behind that. */
function causeOf(error: Error): unknown {
  return "lastNodeError" in error ? error.lastNodeError : error.cause;
}
