use async_trait::async_trait;
use raftsman_runtime::border::{ImageInfo, Images, ResolvedImage, RuntimeError};
use std::path::Path;

/// Every image is here but those whose name contains `absent`.
pub struct FakeImages;

fn image(reference: &str) -> ResolvedImage {
    ResolvedImage { id: format!("sha256:{reference}"), digest: reference.to_owned(), config: Default::default() }
}

#[async_trait]
impl Images for FakeImages {
    async fn resolve(&self, reference: &str) -> Result<Option<ResolvedImage>, RuntimeError> {
        Ok((!reference.contains("absent")).then(|| image(reference)))
    }

    async fn pull(&self, reference: &str) -> Result<ResolvedImage, RuntimeError> {
        match reference.contains("absent") {
            true => Err(RuntimeError::ImagePull(format!("{reference}: not found"))),
            false => Ok(image(reference)),
        }
    }

    async fn load(&self, _archive: &Path) -> Result<Vec<String>, RuntimeError> {
        Ok(Vec::new())
    }

    async fn list(&self) -> Result<Vec<ImageInfo>, RuntimeError> {
        Ok(vec![ImageInfo { id: "sha256:a".to_owned(), names: vec!["a:1".to_owned()], size: 7 }])
    }

    async fn remove(&self, _reference: &str) -> Result<(), RuntimeError> {
        Ok(())
    }
}
