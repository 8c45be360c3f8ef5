const EVENT_STREAM = "text/event-stream";
const JSON_TYPE = "application/json";

/** Whether a client asks for a stream of events: it names that type, and does not like JSON better. */
export function acceptsEventStream(accept: string | undefined): boolean {
  if (accept === undefined || !accept.toLowerCase().includes(EVENT_STREAM)) return false;
  const wish = qualityOf(accept, EVENT_STREAM);
  return wish > 0 && wish >= qualityOf(accept, JSON_TYPE);
}

/** How much a client likes a type, 0 (not at all) to 1. Only where it is named: a wildcard asks for nothing in particular. */
function qualityOf(accept: string, type: string): number {
  for (const entry of accept.toLowerCase().split(",")) {
    const [name = "", ...parameters] = entry.split(";").map((part) => part.trim());
    if (name !== type) continue;
    const quality = parameters.find((parameter) => parameter.startsWith("q="));
    return quality === undefined ? 1 : Number(quality.slice(2)) || 0;
  }
  return 0;
}
