#include "moka/model.h"

#include "base/platform.h"
#include "formats/onnx/reader.h"
#include "graph/model_impl.h"

namespace moka {
namespace {

Result<Model> Read(const OnnxSource& source, const ModelOptions& options) {
  MOKA_ASSIGN_OR_RETURN(Graph graph, ReadOnnx(source, options));
  MOKA_ASSIGN_OR_RETURN(auto impl, ModelImpl::Create(std::move(graph), source.path, options));
  return Model(std::move(impl));
}

}  // namespace

Result<Model> Model::Load(const std::string& path, const ModelOptions& options) {
  MOKA_ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  OnnxSource source;
  source.bytes = {reinterpret_cast<const char*>(file->data()), file->size()};
  source.path = path;
  source.owner = file;
  return Read(source, options);
}

Result<Model> Model::FromMemory(std::string_view bytes, const ModelOptions& options) {
  OnnxSource source;
  source.bytes = bytes;
  // The caller keeps the bytes; a token stands for them, so that weights know whose memory they are in.
  source.owner = std::make_shared<char>();
  return Read(source, options);
}

const std::vector<ValueInfo>& Model::inputs() const { return impl_->inputs(); }
const std::vector<ValueInfo>& Model::outputs() const { return impl_->outputs(); }
int64_t Model::parameters() const { return impl_->parameters(); }
const std::string& Model::path() const { return impl_->path(); }
const std::vector<std::pair<std::string, std::string>>& Model::metadata() const { return impl_->metadata(); }

}  // namespace moka
