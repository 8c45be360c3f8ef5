/** Those of features, by name: each adds its own. */
// biome-ignore lint/suspicious/noEmptyInterface: features add to it
export interface FeatureFailpoints {}

/** Named places between two steps, where the fault laboratory injects faults. Without its hook each costs one comparison. */
export type Failpoint =
  | keyof FeatureFailpoints
  | "submit:claimed"
  | "reserve:before"
  | "reserve:after"
  | "commit:before"
  | "commit:after"
  | "finish:before"
  | "finish:after";

type Hook = (point: Failpoint, jobId: string) => Promise<void>;

let hook: Hook | undefined;

export function onFailpoint(install: Hook): void {
  hook = install;
}

export function failpoint(point: Failpoint, jobId: string): Promise<void> | undefined {
  return hook?.(point, jobId);
}
