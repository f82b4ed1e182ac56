/** Mouse, pen and fingers on the drawn keys: each glides over them on its own. Shell. */

import type { EventClock, InputDevice, NoteSink, PitchAt } from "../contracts.ts";
import { type Change, Holding } from "./holding.ts";

export function createPointerInput(element: HTMLElement, pitchAt: PitchAt, sink: NoteSink, clock: EventClock): InputDevice {
  return new Pointers(element, pitchAt, sink, clock);
}

const ENDS = ["pointerup", "pointercancel", "lostpointercapture"] as const;

class Pointers implements InputDevice {
  private readonly holding = new Holding<number>();
  /** Pointers that are down on the keys, also while they are between or beside them. */
  private readonly down = new Set<number>();

  constructor(
    private readonly element: HTMLElement,
    private readonly pitchAt: PitchAt,
    private readonly sink: NoteSink,
    private readonly clock: EventClock,
  ) {}

  attach(): void {
    // Otherwise the browser takes a gliding finger for scrolling and cancels it.
    this.element.style.touchAction = "none";
    this.element.addEventListener("pointerdown", this.onDown);
    this.element.addEventListener("pointermove", this.onMove);
    for (const end of ENDS) this.element.addEventListener(end, this.onEnd);
  }

  detach(): void {
    this.releaseAll();
    this.element.style.touchAction = "";
    this.element.removeEventListener("pointerdown", this.onDown);
    this.element.removeEventListener("pointermove", this.onMove);
    for (const end of ENDS) this.element.removeEventListener(end, this.onEnd);
  }

  releaseAll(): void {
    this.down.clear();
    this.tell(this.holding.liftAll(), 0, this.clock.nowS());
  }

  private readonly onDown = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    // Captured, so that its end is heard wherever it ends.
    this.element.setPointerCapture(event.pointerId);
    this.down.add(event.pointerId);
    this.follow(event.pointerId, event);
  };

  private readonly onMove = (event: PointerEvent): void => {
    if (!this.down.has(event.pointerId)) return;
    // A fast glide passes several keys between two events; the browser has kept what it saw on the way.
    const passed = event.getCoalescedEvents?.() ?? [];
    for (const each of passed.length > 0 ? passed : [event]) this.follow(event.pointerId, each);
  };

  private readonly onEnd = (event: PointerEvent): void => {
    if (this.down.delete(event.pointerId)) this.tell(this.holding.lift(event.pointerId), 0, this.clock.ofEventS(event.timeStamp));
  };

  private follow(pointer: number, event: PointerEvent): void {
    const at = this.pitchAt(event.clientX, event.clientY);
    const timeS = this.clock.ofEventS(event.timeStamp);
    if (!at) this.tell(this.holding.lift(pointer), 0, timeS);
    else if (at.pitch !== this.holding.pitchOf(pointer)) this.tell(this.holding.press(pointer, at.pitch), at.velocity, timeS);
  }

  private tell(changes: readonly Change[], velocity: number, timeS: number): void {
    for (const { pitch, on } of changes) this.sink({ pitch, on, velocity: on ? velocity : 0, timeS, source: "pointer" });
  }
}
