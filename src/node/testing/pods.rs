use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use raftsman_runtime::border::{
    AttachIo, ContainerPhase, ContainerSpec, ContainerStatus, ExecRequest, Exit, FenceStatus, LogOptions, PodSpec,
    PodStatus, Pods, Promise, RuntimeError, RuntimeEvent,
};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use tokio::sync::broadcast;

/// Containers that are entries in a map. It outlives the agents of a test.
pub struct FakePods {
    dir: tempfile::TempDir,
    pub pods: Mutex<BTreeMap<String, PodStatus>>,
    pub started: Mutex<Vec<(String, String, u32)>>,
    pub specs: Mutex<Vec<ContainerSpec>>,
    /// Held: nothing ends that is to be stopped.
    pub stubborn: tokio::sync::Mutex<()>,
    /// What `exec` ends with.
    pub exec_code: Mutex<i32>,
    pub promise: Mutex<Promise>,
    events: broadcast::Sender<RuntimeEvent>,
}

impl FakePods {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            pods: Mutex::default(),
            started: Mutex::default(),
            specs: Mutex::default(),
            stubborn: Default::default(),
            exec_code: Mutex::new(0),
            promise: Mutex::default(),
            events: broadcast::Sender::new(64),
        }
    }

    fn event(&self, uid: &str) {
        let _ = self.events.send(RuntimeEvent::Pod { uid: uid.to_owned() });
    }

    /// The newest run of a container ends.
    pub fn exit(&self, uid: &str, name: &str, code: i32) {
        if let Some(pod) = self.pods.lock().get_mut(uid) {
            let running = pod.containers.iter_mut().filter(|container| container.name == name);
            for container in running {
                if let ContainerPhase::Running { started_at } = container.phase {
                    let exit = Exit {
                        code,
                        signal: None,
                        oom_killed: false,
                        finished_at: SystemTime::now(),
                        message: String::new(),
                    };
                    container.phase = ContainerPhase::Exited { started_at: Some(started_at), exit };
                    container.pid = None;
                }
            }
        }
        self.event(uid);
    }

    pub fn runs(&self) -> usize {
        self.started.lock().len()
    }
}

#[async_trait]
impl Pods for FakePods {
    async fn pods(&self) -> Result<Vec<PodStatus>, RuntimeError> {
        Ok(self.pods.lock().values().cloned().collect())
    }

    async fn pod(&self, uid: &str) -> Result<PodStatus, RuntimeError> {
        self.pods.lock().get(uid).cloned().ok_or_else(|| RuntimeError::NotFound(format!("pod {uid}")))
    }

    async fn create_pod(&self, spec: &PodSpec) -> Result<PodStatus, RuntimeError> {
        let mut pods = self.pods.lock();
        let pod = pods.entry(spec.uid.clone()).or_insert_with(|| PodStatus {
            spec: spec.clone(),
            netns: Some(PathBuf::from("/proc/self/ns/net")),
            address: None,
            fence: spec.fenced.then(FenceStatus::default),
            ready: true,
            root_since: None,
            released: false,
            containers: Vec::new(),
        });
        Ok(pod.clone())
    }

    async fn set_address(&self, uid: &str, address: IpAddr) -> Result<(), RuntimeError> {
        if let Some(pod) = self.pods.lock().get_mut(uid) {
            pod.address = Some(address);
        }
        Ok(())
    }

    fn pod_dir(&self, uid: &str) -> PathBuf {
        self.dir.path().join(uid)
    }

    async fn start_container(&self, uid: &str, spec: &ContainerSpec) -> Result<String, RuntimeError> {
        if spec.command.first().is_some_and(|command| command == "/missing") {
            return Err(RuntimeError::Invalid("exec: \"/missing\": no such file".to_owned()));
        }
        let id = format!("{uid}-{}-{}", spec.name, spec.attempt);
        self.started.lock().push((uid.to_owned(), spec.name.clone(), spec.attempt));
        self.specs.lock().push(spec.clone());
        let mut pods = self.pods.lock();
        let pod = pods.get_mut(uid).ok_or_else(|| RuntimeError::NotFound(format!("pod {uid}")))?;
        pod.containers.push(ContainerStatus {
            id: id.clone(),
            name: spec.name.clone(),
            attempt: spec.attempt,
            image_id: spec.image_id.clone(),
            image: spec.image.clone(),
            phase: ContainerPhase::Running { started_at: SystemTime::now() },
            pid: Some(1),
        });
        Ok(id)
    }

    async fn stop_container(&self, uid: &str, name: &str, _grace: Duration) -> Result<(), RuntimeError> {
        let _turn = self.stubborn.lock().await;
        self.exit(uid, name, 143);
        Ok(())
    }

    async fn remove_container(&self, uid: &str, name: &str, attempt: u32) -> Result<(), RuntimeError> {
        if let Some(pod) = self.pods.lock().get_mut(uid) {
            pod.containers.retain(|container| container.name != name || container.attempt != attempt);
        }
        Ok(())
    }

    async fn release_pod(&self, uid: &str) -> Result<(), RuntimeError> {
        if let Some(pod) = self.pods.lock().get_mut(uid) {
            (pod.released, pod.ready) = (true, false);
        }
        self.event(uid);
        Ok(())
    }

    async fn remove_pod(&self, uid: &str) -> Result<(), RuntimeError> {
        self.pods.lock().remove(uid);
        Ok(())
    }

    async fn exec(&self, _uid: &str, request: ExecRequest, io: AttachIo) -> Result<i32, RuntimeError> {
        if let Some(stdout) = &io.stdout {
            let _ = stdout.send(Bytes::from(request.command.join(" "))).await;
        }
        if let (Some(mut stdin), Some(stdout)) = (io.stdin, &io.stdout) {
            while let Some(data) = stdin.recv().await {
                let _ = stdout.send(data).await;
            }
        }
        Ok(*self.exec_code.lock())
    }

    async fn attach(&self, _uid: &str, _name: &str, _io: AttachIo) -> Result<(), RuntimeError> {
        Ok(())
    }

    async fn logs(
        &self,
        _uid: &str,
        name: &str,
        _options: LogOptions,
    ) -> Result<BoxStream<'static, Result<Bytes, RuntimeError>>, RuntimeError> {
        let line = Bytes::from(format!("log of {name}\n"));
        Ok(Box::pin(futures::stream::iter([Ok(line)])))
    }

    fn promise(&self) -> Promise {
        *self.promise.lock()
    }

    fn set_promise(&self, promise: Promise) {
        *self.promise.lock() = promise;
        for pod in self.pods.lock().values_mut() {
            if let Some(fence) = pod.fence.as_mut().filter(|fence| fence.epoch != 0 && fence.epoch != promise.epoch) {
                *fence = FenceStatus { epoch: 0, frozen: true };
            }
        }
    }

    async fn admit_pod(&self, uid: &str, epoch: u32) -> Result<bool, RuntimeError> {
        let admitted = self.promise().admits(epoch, raftsman_runtime::boottime());
        if let Some(pod) = self.pods.lock().get_mut(uid).filter(|_| admitted) {
            pod.fence = Some(FenceStatus { epoch, frozen: false });
        }
        self.event(uid);
        Ok(admitted)
    }

    fn events(&self) -> broadcast::Receiver<RuntimeEvent> {
        self.events.subscribe()
    }
}
