import { useQueryClient } from "@tanstack/react-query";
import { ConfirmButton } from "../parts/dialog.tsx";
import { service } from "../service/call.ts";
import { useMay } from "../service/session.ts";

/** Deletes a schedule that was put at run time. */
export function DeleteSchedule({ name }: { readonly name: string }) {
  const client = useQueryClient();
  const mayDelete = useMay("operate");

  async function remove() {
    await service.deleteSchedule(name);
    await client.invalidateQueries({ queryKey: ["schedules"] });
  }

  if (!mayDelete) return null;
  return (
    <ConfirmButton label="Delete…" title={`Delete ${name}?`} action="Delete" isDangerous onConfirm={remove}>
      <p>It has no further tick. Jobs of earlier ticks go on.</p>
    </ConfirmButton>
  );
}
