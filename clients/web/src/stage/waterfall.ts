/** Draws what falls: grid, chords, lines, and the player's own notes rising from the keys. Draws on a context, keeps nothing. */

import { FRAMES_PER_BEAT } from "sideman-client";
import { frameSeconds } from "../jam/grid.ts";
import { type Keyboard, keyOf } from "./keys.ts";
import type { Palette } from "./palette.ts";
import { type ChordSpan, continues } from "./scene.ts";
import { pretty } from "./symbols.ts";
import type { StageView } from "./view.ts";

type Context = CanvasRenderingContext2D;

export interface Area {
  readonly width: number;
  readonly height: number; // the now line is at the bottom
  readonly keyboard: Keyboard;
}

const MIN_VISIBLE_FRAMES = 16;
const GAP = 2; // between a chord and the next
const TRAIL_SHARE = 0.6; // of a key's width: the player's notes are slimmer than the chords

/** Place of a frame, measured from the top of the area; the place of now is its bottom. */
export function makeScale(
  view: StageView,
  height: number,
): { readonly position: number; y(frame: number): number; readonly perFrame: number } {
  const visible = Math.max(MIN_VISIBLE_FRAMES, view.lookaheadFrames) + 1;
  const perFrame = height / visible;
  const exact = view.position ?? 0;
  const position = view.calmMotion ? Math.floor(exact / FRAMES_PER_BEAT) * FRAMES_PER_BEAT : exact;
  return { position, perFrame, y: (frame) => height - (frame - position) * perFrame };
}

export function drawWaterfall(context: Context, area: Area, view: StageView, palette: Palette): void {
  context.clearRect(0, 0, area.width, area.height);
  const scale = makeScale(view, area.height);
  if (view.position !== null) drawGrid(context, area, view, palette);
  drawTrails(context, area, view, palette);
  if (view.showChords) {
    view.chords.forEach((span, index) => {
      const goesOn = continues(view.chords[index - 1], span) && scale.y(span.start) < area.height;
      drawChord(context, area, span, { top: scale.y(span.end), bottom: scale.y(span.start), goesOn }, palette);
    });
  }
  drawLines(context, area, view, palette, scale.perFrame);
}

function drawGrid(context: Context, area: Area, view: StageView, palette: Palette): void {
  const { y, position, perFrame } = makeScale(view, area.height);
  const last = position + area.height / perFrame;
  const offset = ((view.barLine % FRAMES_PER_BEAT) + FRAMES_PER_BEAT) % FRAMES_PER_BEAT;
  const first = Math.ceil((position - offset) / FRAMES_PER_BEAT) * FRAMES_PER_BEAT + offset;
  context.font = `500 12px ${palette.font}`;
  context.textBaseline = "bottom";
  context.textAlign = "left";
  for (let frame = first; frame <= last; frame += FRAMES_PER_BEAT) {
    const at = Math.round(y(frame));
    const inBar = (((frame - view.barLine) % view.barFrames) + view.barFrames) % view.barFrames;
    context.fillStyle = inBar === 0 ? palette.barLine : palette.line;
    context.fillRect(0, at, area.width, inBar === 0 ? 2 : 1);
    if (inBar === 0 && view.isCounting && at > 16) {
      context.fillStyle = palette.faint;
      context.fillText(String(Math.round((frame - view.barLine) / view.barFrames) + 1), 8, at - 2);
    }
  }
}

interface Place {
  readonly top: number;
  readonly bottom: number;
  readonly goesOn: boolean; // the chord before is the same: no symbol
}

function drawChord(context: Context, area: Area, span: ChordSpan, place: Place, palette: Palette): void {
  const bottom = Math.min(place.bottom, area.height);
  if (bottom <= 0 || place.top >= area.height) return;
  const top = place.top + (span.committed && !place.goesOn ? GAP : GAP / 2);
  const height = Math.max(2, bottom - GAP / 2 - top);
  const keys = span.pitches.map((pitch) => keyOf(area.keyboard, pitch));
  const left = Math.min(...keys.map((key) => key.x));
  const right = Math.max(...keys.map((key) => key.x + key.width));
  context.fillStyle = palette.agentFaint;
  context.globalAlpha = span.committed ? 1 : 0.5;
  roundRect(context, left, top, right - left, height, 6);
  context.fill();
  context.globalAlpha = 1;
  for (const key of keys) {
    roundRect(context, key.x + 1, top, key.width - 2, height, Math.min(6, key.width / 3));
    context.fillStyle = palette.agent;
    context.globalAlpha = span.committed ? 1 : 0.34;
    context.fill();
    context.globalAlpha = 1;
    if (span.committed) continue;
    context.setLineDash([5, 4]);
    context.lineWidth = 1.5;
    context.strokeStyle = palette.agent;
    context.stroke();
    context.setLineDash([]);
  }
  if (!place.goesOn) drawSymbol(context, { left, right, bottom, width: area.width }, span, palette, keys[0]?.x ?? left);
}

interface Span {
  readonly left: number;
  readonly right: number;
  readonly bottom: number;
  readonly width: number;
}

/** The symbol stands on a plate over the bass key's block, so that it reads over anything. */
function drawSymbol(context: Context, at: Span, span: ChordSpan, palette: Palette, bassX: number): void {
  const text = pretty(span.symbol);
  const size = at.width < 600 ? 17 : 22;
  context.font = `700 ${size}px ${palette.font}`;
  context.textAlign = "left";
  context.textBaseline = "middle";
  const width = context.measureText(text).width + 16;
  const x = Math.min(Math.max(2, bassX - 2), at.width - width - 2);
  const height = size + 8;
  const y = Math.max(2, at.bottom - height - 5);
  roundRect(context, x, y, width, height, 7);
  context.fillStyle = palette.ground;
  context.fill();
  context.lineWidth = span.committed ? 2 : 1.5;
  if (!span.committed) context.setLineDash([5, 4]);
  context.strokeStyle = palette.agent;
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = palette.text;
  context.fillText(text, x + 8, y + height / 2 + 1);
}

function drawTrails(context: Context, area: Area, view: StageView, palette: Palette): void {
  const visible = Math.max(MIN_VISIBLE_FRAMES, view.lookaheadFrames) + 1;
  const perSecond = area.height / visible / frameSeconds(view.bpm);
  context.fillStyle = palette.player;
  for (const note of view.notes) {
    const endS = note.endS ?? view.nowS;
    const bottom = area.height - Math.max(0, view.nowS - endS) * perSecond;
    const top = area.height - (view.nowS - note.startS) * perSecond;
    const fade = bottom / area.height; // 1 at the keys, 0 at the top
    if (fade <= 0.3 || top >= area.height) continue;
    const key = keyOf(area.keyboard, note.pitch);
    const width = Math.max(4, key.width * TRAIL_SHARE);
    context.globalAlpha = Math.min(1, (fade - 0.3) * 1.6);
    roundRect(context, key.x + (key.width - width) / 2, top, width, Math.max(3, bottom - top), width / 3);
    context.fill();
  }
  context.globalAlpha = 1;
}

function drawLines(context: Context, area: Area, view: StageView, palette: Palette, perFrame: number): void {
  const y = Math.round(area.height - view.commitFrames * perFrame) + 0.5;
  if (view.position !== null && view.showChords && view.commitFrames > 0) {
    context.strokeStyle = palette.commit;
    context.lineWidth = 2;
    context.setLineDash([10, 6]);
    context.beginPath();
    context.moveTo(0, y);
    context.lineTo(area.width, y);
    context.stroke();
    context.setLineDash([]);
    context.font = `600 12px ${palette.font}`;
    context.textAlign = "right";
    context.textBaseline = "bottom";
    context.fillStyle = palette.commit;
    context.fillText(view.commitText, area.width - 10, y - 4);
  }
  context.fillStyle = palette.now;
  context.fillRect(0, area.height - 3, area.width, 3);
}

function roundRect(context: Context, x: number, y: number, width: number, height: number, radius: number): void {
  context.beginPath();
  context.roundRect(x, y, width, height, Math.min(radius, height / 2, width / 2));
}
