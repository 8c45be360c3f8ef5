const EVENT_STREAM = "text/event-stream";
const JSON_TYPE = "application/json";

/** Whether a client names the event-stream type, and does not prefer JSON. */
export function acceptsEventStream(accept: string | undefined): boolean {
  if (accept === undefined || !accept.toLowerCase().includes(EVENT_STREAM)) return false;
  const quality = qualityOf(accept, EVENT_STREAM);
  return quality > 0 && quality >= qualityOf(accept, JSON_TYPE);
}

/** The `q` of a type, 0 to 1. Wildcards do not count: they ask for nothing in particular. */
function qualityOf(accept: string, type: string): number {
  for (const entry of accept.toLowerCase().split(",")) {
    const [name = "", ...parameters] = entry.split(";").map((part) => part.trim());
    if (name !== type) continue;
    const quality = parameters.find((parameter) => parameter.startsWith("q="));
    return quality === undefined ? 1 : Number(quality.slice(2)) || 0;
  }
  return 0;
}
