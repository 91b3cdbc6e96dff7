//! The programs that agents use go on working in the jail.

use crate::rig::{Gateway, PYTHON, compile, out, text};

#[test]
fn python_starts_threads_processes_loops_and_environments() {
    let gateway = Gateway::start(false);
    let folder = gateway.folder.path().join("venv").display().to_string();
    let script = format!(
        "import asyncio, multiprocessing, subprocess, sys, tempfile, threading, concurrent.futures as f\n\
         if __name__ == '__main__':\n\
         \x20   print(subprocess.check_output(['echo', 'sub'], text=True).strip())\n\
         \x20   with multiprocessing.Pool(2) as pool: print(sum(pool.map(abs, range(-9, 0))))\n\
         \x20   async def main():\n\
         \x20       p = await asyncio.create_subprocess_exec('cat', stdin=-1, stdout=-1)\n\
         \x20       print((await p.communicate(b'loop'))[0].decode())\n\
         \x20       r = await asyncio.start_server(lambda i, o: o.close(), '127.0.0.1', 0); r.close()\n\
         \x20   asyncio.run(main())\n\
         \x20   with f.ThreadPoolExecutor() as pool: print(list(pool.map(str, [1, 2])))\n\
         \x20   subprocess.run([sys.executable, '-m', 'venv', '--without-pip', {folder:?}], check=True)\n\
         \x20   print(subprocess.check_output([{folder:?} + '/bin/python', '-c', 'print(6 * 7)'], text=True).strip())"
    );
    let file = gateway.folder.path().join("script.py");
    std::fs::write(&file, script).unwrap();
    let output = gateway.weir(&[], &[PYTHON, &file.display().to_string()]).output().unwrap();
    assert_eq!(out(&output), "sub\n45\nloop\n['1', '2']\n42");
}

#[test]
fn node_runs_workers_files_and_children() {
    let gateway = Gateway::start(false);
    let script = "const {execFileSync} = require('child_process'), fs = require('fs/promises');\n\
        const {Worker} = require('worker_threads'), os = require('os');\n\
        (async () => {\n\
        console.log(execFileSync('echo', ['child']).toString().trim());\n\
        console.log((await fs.readFile('/etc/passwd', 'utf8')).startsWith('root'));\n\
        await new Promise(done => new Worker('console.log(6 * 7)', {eval: true}).on('exit', done));\n\
        console.log(Object.keys(os.networkInterfaces()).includes('lo'));\n\
        })();";
    let output = gateway.weir(&[], &["node", "-e", script]).output().unwrap();
    assert_eq!(out(&output), "child\ntrue\n42\ntrue");
}

#[test]
fn java_compiles_and_runs() {
    let gateway = Gateway::start(false);
    let file = gateway.folder.path().join("Main.java");
    let source = "import java.util.stream.*; class Main { public static void main(String[] a) throws Exception {\n\
        System.out.println(IntStream.range(0, 100).parallel().sum());\n\
        Process p = new ProcessBuilder(\"echo\", \"child\").start();\n\
        System.out.println(new String(p.getInputStream().readAllBytes()).trim()); } }";
    std::fs::write(&file, source).unwrap();
    let output = gateway.weir(&[], &["java", &file.display().to_string()]).output().unwrap();
    assert_eq!(out(&output), "4950\nchild");
}

#[test]
fn git_gcc_psql_and_shells_work() {
    let gateway = Gateway::start(false);
    let program = compile(gateway.folder.path(), "hello", &[], "int main(void) { return 0; }");
    let script = format!(
        "set -e; cd {}; git init -q repo; cd repo; echo a > a; git add a\n\
         git -c user.name=a -c user.email=a@b commit -qm a; git clone -q . ../clone; cat ../clone/a\n\
         {program}; echo 'int main(void) {{ return 0; }}' | gcc -x c -o ../again -; ../again\n\
         psql --version | cut -d' ' -f1; bash -c 'cat <(echo substituted)'; mv a ../moved; cat ../moved",
        gateway.folder.path().display()
    );
    let output = gateway.weir(&[], &["bash", "-c", &script]).output().unwrap();
    assert_eq!(out(&output), "a\npsql\nsubstituted\na", "{}", text(&output));
}

#[test]
fn a_terminal_multiplexer_has_a_server_of_its_own() {
    let gateway = Gateway::start(false);
    let script = "tmux -f /dev/null new-session -d 'sleep 20' && tmux list-sessions -F inside; tmux kill-server";
    let output = gateway.shell(&[], script);
    assert_eq!(out(&output), "inside", "{}", text(&output));
}
