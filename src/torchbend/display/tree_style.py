"""The look of the module tree and of lists of sites: plain CSS and a few lines of JavaScript."""

from __future__ import annotations

__all__ = ["COPY_SCRIPT", "STYLE"]

STYLE = """<style>
.tb-tree{font:13px/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;color:inherit;max-width:100%;
overflow-x:auto;--tb-bent:#d2601a}
@media (prefers-color-scheme:dark){.tb-tree{--tb-bent:#f0935a}}
.tb-tree details{margin-left:1.1em}.tb-tree>details{margin-left:0}
.tb-tree summary{cursor:pointer;white-space:nowrap;padding:1px 0}
.tb-tree summary:hover,.tb-tree .tb-weight:hover{background:rgba(128,128,128,.12)}
.tb-tree .tb-weight{display:grid;grid-template-columns:minmax(11em,max-content) 12em 7em 100px 1fr;gap:0 1em;
align-items:center;margin-left:2.1em;white-space:nowrap}
.tb-tree .tb-class{opacity:.75}.tb-tree .tb-dim{opacity:.6}
.tb-tree .tb-hist{opacity:.6;display:block}
.tb-tree .tb-bent{color:var(--tb-bent);font-weight:600}
.tb-tree .tb-title{font-weight:600;margin-bottom:.2em}
.tb-tree button{all:unset;cursor:copy}.tb-tree button:focus-visible{outline:2px solid var(--tb-bent)}
.tb-tree button.tb-copied::after{content:" copied";opacity:.6;font-weight:400}
.tb-tree .tb-list{display:grid;grid-template-columns:repeat(5,max-content);gap:0 1.4em;margin-left:2.1em}
.tb-tree .tb-list .tb-weight{display:contents}
.tb-tree .tb-note{margin-left:2.1em;opacity:.6}
</style>"""

# One listener for the page, however many trees it shows. Without JavaScript the path can still be read:
# it is the title of each name.
COPY_SCRIPT = """<script>
if(!window.tbCopy){window.tbCopy=true;document.addEventListener("click",function(event){
var button=event.target.closest&&event.target.closest("[data-tb-path]");if(!button)return;
event.preventDefault();
if(navigator.clipboard)navigator.clipboard.writeText(button.dataset.tbPath).then(function(){
button.classList.add("tb-copied");setTimeout(function(){button.classList.remove("tb-copied")},900)})})}
</script>"""
