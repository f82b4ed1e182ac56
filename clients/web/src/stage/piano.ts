/** Draws the keys with their lights and labels. Draws on a context, keeps nothing. */

import { BLACK_HEIGHT, type Key, type Keyboard } from "./keys.ts";
import type { Labels } from "./paint.ts";
import type { Palette } from "./palette.ts";
import { noteName } from "./symbols.ts";
import type { Lights } from "./view.ts";

type Context = CanvasRenderingContext2D;

export function drawKeys(context: Context, keyboard: Keyboard, height: number, lights: Lights, labels: Labels, palette: Palette): void {
  context.clearRect(0, 0, keyboard.width, height);
  for (const key of keyboard.keys) if (!key.isBlack) drawKey(context, key, height, lights, labels, palette);
  for (const key of keyboard.keys) if (key.isBlack) drawKey(context, key, height * BLACK_HEIGHT, lights, labels, palette);
}

function drawKey(context: Context, key: Key, height: number, lights: Lights, labels: Labels, palette: Palette): void {
  const isPlayer = lights.player.has(key.pitch);
  const isAgent = lights.agent.has(key.pitch);
  const radius = Math.min(5, key.width / 4);
  const x = key.isBlack ? key.x : key.x + 0.5;
  const width = key.isBlack ? key.width : key.width - 1;
  context.beginPath();
  context.roundRect(x, -radius, width, height + radius - (key.isBlack ? 0 : 1), radius);
  context.fillStyle = key.isBlack ? palette.black : palette.white;
  context.fill();
  if (isPlayer || isAgent) {
    context.save();
    context.clip();
    const split = isPlayer && isAgent ? width / 2 : isPlayer ? width : 0;
    context.fillStyle = palette.player;
    context.fillRect(x, 0, split, height);
    context.fillStyle = palette.agent;
    context.fillRect(x + split, 0, width - split, height);
    context.restore();
  } else if (key.isBlack) {
    context.fillStyle = palette.blackTop;
    context.fillRect(x + 2, 0, width - 4, height - 7);
  }
  context.lineWidth = 1;
  context.strokeStyle = key.isBlack ? palette.black : palette.whiteEdge;
  context.stroke();
  drawMarks(context, key, height, isPlayer, isAgent, palette);
  drawLabels(context, key, height, labels, isPlayer || isAgent, palette);
}

/** Not by colour alone: a disc is the player, a square the agent. */
function drawMarks(context: Context, key: Key, height: number, isPlayer: boolean, isAgent: boolean, palette: Palette): void {
  if (key.width < 8) return;
  const size = Math.min(9, key.width * 0.4);
  const y = height - (key.isBlack ? 12 : 46);
  const both = isPlayer && isAgent ? key.width / 4 : 0;
  const middle = key.x + key.width / 2;
  if (isPlayer) {
    context.fillStyle = palette.playerInk;
    context.beginPath();
    context.arc(middle - both, y, size / 2, 0, 2 * Math.PI);
    context.fill();
  }
  if (isAgent) {
    context.fillStyle = palette.agentInk;
    context.fillRect(middle + both - size / 2, y - size / 2, size, size);
  }
}

function drawLabels(context: Context, key: Key, height: number, labels: Labels, isLit: boolean, palette: Palette): void {
  const letter = labels.computer.get(key.pitch);
  const ink = isLit ? palette.agentInk : key.isBlack ? palette.blackInk : palette.whiteInk;
  context.fillStyle = ink;
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  const middle = key.x + key.width / 2;
  if (letter !== undefined && key.width >= 9) {
    context.font = `600 ${Math.min(14, Math.max(9, key.width * 0.6))}px ${palette.font}`;
    context.fillText(letter.toUpperCase(), middle, height - (key.isBlack ? 22 : 24));
  }
  const isNamed = labels.notes === "all" ? !key.isBlack : labels.notes === "c" && key.pitch % 12 === 0;
  if (isNamed && !key.isBlack && key.width >= 12) {
    context.font = `500 ${Math.min(11, key.width * 0.48)}px ${palette.font}`;
    context.fillText(noteName(key.pitch), middle, height - 8);
  }
}
