"""The look and the small script of a self-contained page."""

from __future__ import annotations

__all__ = ["PAGE_SCRIPT", "PAGE_STYLE"]

PAGE_STYLE = """
:root{color-scheme:light dark;--paper:#faf9f6;--card:#fff;--ink:#1d2130;--soft:#5d6475;--line:#e4e2dc;
--accent:#1f7a80;--before:#7d8496;--night:#0b0d2a}
@media (prefers-color-scheme:dark){:root{--paper:#12141c;--card:#1a1d28;--ink:#e8e6df;--soft:#9ea5b5;
--line:#2b303e;--accent:#5cc4b4;--before:#9aa2b5}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.65 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:68rem;margin:0 auto;padding:clamp(1.5rem,5vw,4.5rem) clamp(1rem,4vw,2.5rem)}
h1,h2,h3{line-height:1.2;letter-spacing:-.015em;text-wrap:balance;margin:0}
h1{font-size:clamp(1.9rem,5vw,2.9rem);font-weight:650}
h2{font-size:1.5rem;font-weight:620;margin-top:3.5rem}h3{font-size:1.12rem;font-weight:620;margin-top:2rem}
p{max-width:42rem;margin:.8rem 0;color:var(--soft);white-space:pre-line}
header{padding-bottom:1.4rem;border-bottom:1px solid var(--line)}header p{font-size:1.1rem;margin:.7rem 0 0}
figure{margin:1.4rem 0;min-width:0}figcaption{color:var(--soft);font-size:.9rem;margin-top:.5rem}
.sheet{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:.8rem 1rem;
overflow-x:auto}
pre{margin:0;font:13px/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
article{background:var(--card);border:1px solid var(--line);border-radius:16px;margin:1.6rem 0;
padding:clamp(1rem,2.5vw,1.6rem)}
article h3{margin:0}article>p{margin:.3rem 0 1.1rem;font-size:.95rem}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,19rem),1fr));gap:1.4rem}
.take{min-width:0;margin:0}
.take figcaption{display:flex;align-items:center;gap:.5em;font-size:.85rem;font-weight:600;margin:0 0 .5rem}
.take figcaption::before{content:"";width:.6em;height:.6em;border-radius:50%;background:var(--tone)}
.take{--tone:var(--before)}.take.after{--tone:var(--accent)}
.screen{position:relative;background:var(--night);border-radius:10px;overflow:hidden;cursor:crosshair}
.screen img{display:block;width:100%;height:9rem}
.screen i{position:absolute;top:0;bottom:0;left:0;width:2px;background:#fff;opacity:0;pointer-events:none}
.take svg{display:block;width:100%;height:3.2rem;margin:.5rem 0;color:var(--tone)}
audio{display:block;width:100%;height:2.4rem}
footer{margin-top:4rem;padding-top:1.2rem;border-top:1px solid var(--line);color:var(--soft);font-size:.88rem}
@media print{article{break-inside:avoid}audio{display:none}}
"""

# Adds to players that work without it: one sounds at a time, a line runs over the spectrogram, and a
# click on the spectrogram goes there.
PAGE_SCRIPT = """
(function(){var all=[].slice.call(document.querySelectorAll("audio"));
all.forEach(function(audio){
var screen=audio.parentNode.querySelector(".screen"),line=screen.querySelector("i");
function place(){if(audio.duration){line.style.opacity=audio.currentTime>0?.85:0;
line.style.left=100*audio.currentTime/audio.duration+"%"}}
function run(){place();if(!audio.paused)requestAnimationFrame(run)}
audio.addEventListener("play",function(){all.forEach(function(other){if(other!==audio)other.pause()});run()});
audio.addEventListener("timeupdate",place);audio.addEventListener("seeked",place);
screen.addEventListener("click",function(event){var box=screen.getBoundingClientRect();
if(audio.duration){audio.currentTime=audio.duration*(event.clientX-box.left)/box.width;audio.play()}})})})();
"""
