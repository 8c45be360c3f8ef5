import {
  type Attributes,
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";

/**
 * Traces, through OpenTelemetry's API alone: who loads an SDK with an exporter into the process gets them, and for
 * everybody else each of these calls does nothing.
 */

const NAME = "holdfast";

/** Whether an SDK is there to take spans; asked once, when a process starts. */
export function isTraced(): boolean {
  const span = trace.getTracer(NAME).startSpan("probe", { root: true });
  return trace.isSpanContextValid(span.spanContext()) && span.isRecording();
}

/** The id of the trace that this is part of; undefined where nothing is traced. */
export function traceId(): string | undefined {
  return trace.getSpanContext(context.active())?.traceId;
}

/** What must travel with a job for its attempts to join this trace, as BullMQ's own integration reads it. */
export function traceCarrier(): string | undefined {
  if (traceId() === undefined) return undefined;
  const carrier = {};
  propagation.inject(context.active(), carrier);
  return JSON.stringify(carrier);
}

/** A request that is being answered. */
export interface RequestSpan {
  /** Runs work as part of it. */
  run(work: () => void): void;
  /** For the answer's `traceresponse` header: how its sender finds this span. */
  readonly header: string;
  end(status: number, route: string | undefined): void;
}

/** @returns undefined where nothing is traced */
export function startRequestSpan(
  method: string,
  path: string,
  headers: Readonly<Record<string, unknown>>,
): RequestSpan | undefined {
  const parent = propagation.extract(ROOT_CONTEXT, headers);
  const span = trace
    .getTracer(NAME)
    .startSpan(
      method,
      { kind: SpanKind.SERVER, attributes: { "http.request.method": method, "url.path": path } },
      parent,
    );
  const own = span.spanContext();
  if (!trace.isSpanContextValid(own)) return undefined;
  const inside: Context = trace.setSpan(parent, span);
  return {
    run: (work) => context.with(inside, work),
    header: `00-${own.traceId}-${own.spanId}-${own.traceFlags.toString(16).padStart(2, "0")}`,
    end(status, route) {
      if (route !== undefined) span.updateName(`${method} ${route}`).setAttribute("http.route", route);
      span.setAttribute("http.response.status_code", status);
      if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    },
  };
}

/**
 * Runs work in a span of its own, inside the present one.
 *
 * @param scrub takes secrets out of what an error says
 */
export async function inSpan<T>(
  name: string,
  attributes: Attributes,
  work: () => Promise<T>,
  scrub: (text: string) => string,
): Promise<T> {
  if (traceId() === undefined) return await work();
  return await trace.getTracer(NAME).startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await work();
    } catch (error) {
      markFailed(span, error, scrub);
      throw error;
    } finally {
      span.end();
    }
  });
}

function markFailed(span: Span, error: unknown, scrub: (text: string) => string): void {
  const message = scrub(error instanceof Error ? error.message : String(error));
  if (error instanceof Error)
    span.recordException({ name: error.name, message, stack: scrub(error.stack ?? "") });
  span.setStatus({
    code: SpanStatusCode.ERROR,
    message,
  });
}
