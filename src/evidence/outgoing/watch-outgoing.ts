import { watchNodeHttp, watchUndici } from "./watch-http.ts";
import { watchHttp2 } from "./watch-http2.ts";
import { watchNames } from "./watch-names.ts";
import { watchSockets } from "./watch-sockets.ts";
import { watchUnfollowed } from "./watch-unfollowed.ts";

/**
 * Notes what this process sends, from now on: what an effect sends in the record of the effect in whose asynchronous context it begins, and
 * everything else as what may speak against an effect. Called before the application's handlers are loaded.
 *
 * Native addons, memory that is shared, files, what is added to a body that undici streams, and the `fetch` of other runtimes are not seen.
 */
export function watchOutgoing(): void {
  if (isWatching) return;
  isWatching = true;
  watchSockets();
  watchNames();
  watchNodeHttp();
  watchUndici();
  watchHttp2();
  watchUnfollowed();
}

let isWatching = false;
