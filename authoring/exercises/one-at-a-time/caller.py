"""A third caller of the model, which the check starts: lets it judge many files at once."""

import signal
import threading

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.workflow(name="judge_files")
def judge_files(ctx: wf.DaprWorkflowContext, files: list):
    app_id = "ml-inference-service"
    given = [{"file": file, "explain": True} for file in files]
    calls = [ctx.call_activity("run_ml_inference", input=one, app_id=app_id) for one in given]
    answers = yield wf.when_all(calls)
    return len(answers)


if __name__ == "__main__":
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    threading.Thread(target=wfr.start, daemon=True).start()
    ended.wait()
