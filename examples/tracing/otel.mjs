// Loaded before Holdfast: NODE_OPTIONS="--import ./otel.mjs" holdfast worker
// Needs @opentelemetry/sdk-trace-node and @opentelemetry/exporter-trace-otlp-http. The standard variables say where spans go,
// such as OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 and OTEL_SERVICE_NAME=holdfast-worker.
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const provider = new NodeTracerProvider({
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter(), { scheduledDelayMillis: 500 })],
});
provider.register();
