// Holdfast's API, console and reference at /jobs-admin.
import { openApi } from "../../../lib/jobs";

async function handle(request: Request): Promise<Response> {
  return (await openApi()).fetch(request);
}

export { handle as DELETE, handle as GET, handle as HEAD, handle as POST, handle as PUT };
