// Loaded before Holdfast: NODE_OPTIONS="--import ./otel.mjs" holdfast worker
// Needs @opentelemetry/sdk-trace-node, @opentelemetry/resources and @opentelemetry/exporter-trace-otlp-http. The standard variables
// say where spans go, such as OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318, and OTEL_SERVICE_NAME names the service otherwise.
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const role = process.argv[2] ?? "application";
const provider = new NodeTracerProvider({
  // Such as holdfast-worker.
  resource: defaultResource()
    .merge(resourceFromAttributes({ "service.name": `holdfast-${role}` }))
    .merge(detectResources({ detectors: [envDetector] })),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter(), { scheduledDelayMillis: 500 })],
});
provider.register();
