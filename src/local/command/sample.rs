//! The sample: a web tier and a database, from cluster-configs/samples.

use crate::command::progress::Progress;
use crate::plan::LocalCluster;
use anyhow::bail;
use raftsman_api::config::Role;
use raftsman_cli::connect::Cluster;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The NodePort at which it answers.
pub const PORT: u16 = 30001;
/// Words on its page when the database answers.
const VISITS: &str = "Visits so far";
const MANIFESTS: [(&str, &str); 2] = [
    ("mysql.yaml", include_str!("../../../cluster-configs/samples/mysql.yaml")),
    ("myweb.yaml", include_str!("../../../cluster-configs/samples/myweb.yaml")),
];
const IMAGES: [&str; 2] = ["raftsman.local/mariadb:1", "raftsman.local/tomcat-sample:1"];

/// Its images are there.
pub fn has_images(loaded: &[String]) -> bool {
    IMAGES.iter().all(|image| loaded.iter().any(|name| name == image))
}

/// How the sample answers.
pub struct Sample {
    /// Where.
    pub url: String,
    /// What its page says.
    pub page: Vec<String>,
}

/// Applies it and waits until it answers.
pub async fn deploy(
    cluster: &LocalCluster,
    api: &Cluster,
    patience: Duration,
    progress: &mut Progress,
) -> anyhow::Result<Sample> {
    progress.begin("sample");
    for (name, text) in MANIFESTS {
        raftsman_cli::apply::apply_text(api, name, text).await?;
    }
    let Some(node) = cluster.of(Role::Node).next() else { bail!("the sample needs a node") };
    let address = SocketAddr::new(node.address.into(), PORT);
    let url = format!("http://{address}/");
    let start = Instant::now();
    let page = loop {
        let state = match visit(address).await {
            Ok(body) if body.contains(VISITS) => break summary(&body),
            Ok(body) => body.lines().next().unwrap_or_default().to_owned(),
            Err(error) => error.to_string(),
        };
        progress.update(&state);
        if start.elapsed() > patience {
            bail!(
                "the sample does not answer at {url} after {} s ({state}); `raftsman get pods` and `raftsman describe pods` say why",
                patience.as_secs()
            );
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    };
    progress.done(&format!("answers at {url}"));
    Ok(Sample { url, page })
}

/// The lines that tell who answered and what the database knows, without their tags.
fn summary(body: &str) -> Vec<String> {
    let told = body.lines().filter(|line| ["Answered by pod", VISITS].iter().any(|words| line.contains(words)));
    told.map(without_tags).collect()
}

fn without_tags(line: &str) -> String {
    let mut inside = false;
    let mut text = String::new();
    for letter in line.chars() {
        match letter {
            '<' => inside = true,
            '>' => inside = false,
            _ if !inside => text.push(letter),
            _ => {}
        }
    }
    text.trim().to_owned()
}

/// One visit, over plain HTTP/1.0.
async fn visit(address: SocketAddr) -> anyhow::Result<String> {
    let visit = async {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        stream.write_all(format!("GET / HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        anyhow::Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    match tokio::time::timeout(Duration::from_secs(20), visit).await {
        Ok(answer) => answer,
        Err(_) => bail!("no answer within 20 s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_summed_up() {
        let page = "<h1>Visits</h1>\n<p>Answered by pod: <b>myweb-1</b></p>\n<p>Visits so far: <b>3</b></p>\n<table>";
        assert_eq!(summary(page), ["Answered by pod: myweb-1", "Visits so far: 3"]);
    }
}
