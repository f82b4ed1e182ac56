/**
 * Which keys of one device hold which pitches. Pure.
 *
 * Whatever happens, every pitch goes up and down in turn: a pitch that two fingers hold sounds until both have left it, and a pitch
 * struck again while it sounds goes up first. So nobody behind a device has to count.
 */

export interface Change {
  readonly pitch: number;
  readonly on: boolean;
}

export class Holding<Holder> {
  private readonly pitches = new Map<Holder, number>();

  pitchOf(holder: Holder): number | undefined {
    return this.pitches.get(holder);
  }

  holders(): Holder[] {
    return [...this.pitches.keys()];
  }

  /** A holder that already held another pitch leaves it. */
  press(holder: Holder, pitch: number): Change[] {
    const left = this.lift(holder);
    const isHeld = this.isHeld(pitch);
    this.pitches.set(holder, pitch);
    return [...left, ...(isHeld ? [{ pitch, on: false }] : []), { pitch, on: true }];
  }

  lift(holder: Holder): Change[] {
    const pitch = this.pitches.get(holder);
    if (pitch === undefined) return [];
    this.pitches.delete(holder);
    return this.isHeld(pitch) ? [] : [{ pitch, on: false }];
  }

  liftAll(): Change[] {
    return this.holders().flatMap((holder) => this.lift(holder));
  }

  private isHeld(pitch: number): boolean {
    return [...this.pitches.values()].includes(pitch);
  }
}
