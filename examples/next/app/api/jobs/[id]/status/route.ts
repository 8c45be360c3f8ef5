// What a page may ask without a key of its own: the status of one job, once or as a stream of events. The key stays on the server.
import { openApi } from "../../../../../lib/jobs";

export async function GET(request: Request, { params }: { params: Promise<{ id: string }> }) {
  // Here your application asks whether this visitor may see this job.
  const { id } = await params;
  const headers = new Headers(request.headers);
  headers.set("authorization", `Bearer ${process.env.JOBS_KEY}`);
  const url = new URL(`/jobs-admin/jobs/${encodeURIComponent(id)}/status`, request.url);
  return (await openApi()).fetch(new Request(url, { headers, signal: request.signal }));
}
