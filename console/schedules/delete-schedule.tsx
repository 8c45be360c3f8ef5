import { useQueryClient } from "@tanstack/react-query";
import { ConfirmWindow } from "../parts/dialog.tsx";
import { useSeen } from "../parts/use-seen.ts";
import { service } from "../service/call.ts";

interface Props {
  readonly name: string;
  /** The one that the page shows. */
  readonly version: number | undefined;
  readonly isOpen: boolean;
  readonly onClose: () => void;
}

/** Deletes a schedule that was put at run time. */
export function DeleteSchedule({ name, version, isOpen, onClose }: Props) {
  const seen = useSeen(version, isOpen);
  const client = useQueryClient();

  async function remove() {
    await service.deleteSchedule(name, seen === undefined ? {} : { version: seen });
    await client.invalidateQueries({ queryKey: ["schedules"] });
  }

  return (
    <ConfirmWindow
      title={`Delete ${name}?`}
      action="Delete"
      isOpen={isOpen}
      onClose={onClose}
      isDangerous
      onConfirm={remove}
    >
      <p>It has no further tick. Jobs of earlier ticks go on.</p>
    </ConfirmWindow>
  );
}
